// @ts-check
/**
 * The parts of the page that come when they are needed (page_parts.py), each as one script.
 *
 * @typedef {{url: string, needs: string[], components: string[]}} Part
 */
const satmParts = {
  /** Filled in by the server. */
  /** @type {Record<string, Part>} */
  list: {},

  /** @type {Record<string, Promise<void>>} */
  loads: {},

  /** The part that has a component; nothing where the page's own frame has it.
   * @param {string} component
   * @returns {string | undefined}
   */
  of(component) {
    return Object.keys(satmParts.list).find(name =>
      satmParts.list[name].components.includes(component)
    )
  },

  /** What it needs comes first. A load that failed is tried again when it is asked for again.
   * @param {string} name
   * @returns {Promise<void>}
   */
  load(name) {
    satmParts.loads[name] ??= satmParts.fetch(name).catch(error => {
      delete satmParts.loads[name]
      throw error
    })
    return satmParts.loads[name]
  },

  /** @param {string} name */
  async fetch(name) {
    const {needs, url} = satmParts.list[name]
    for (const need of needs) await satmParts.load(need)
    await new Promise((resolve, reject) => {
      const script = document.createElement('script')
      script.src = url
      script.onload = resolve
      script.onerror = () => {
        script.remove()
        reject(new Error(url))
      }
      document.head.append(script)
    })
  }
}
