// @ts-check
/**
 * Templates of the components that are loaded, by name.
 * @type {Record<string, string>}
 */
const satmTemplates = {}

/**
 * Register a component of the page: script `components/<name>.js`, template
 * `templates/satmachineadmin/components/<name>.html`. Every one of them can say and format things.
 *
 * @param {string} name
 * @param {Record<string, any>} options
 */
function satmComponent(name, options) {
  window.app.component(name, {
    template: satmTemplates[name],
    delimiters: ['${', '}'],
    ...options,
    methods: {
      t: satmText.t,
      told: satmText.told,
      number: satmFormat.number,
      sats: satmFormat.sats,
      fiat: satmFormat.fiat,
      percent: satmFormat.percent,
      when: satmFormat.when,
      utc: satmFormat.utc,
      duration: satmFormat.duration,
      day: satmFormat.day,
      short: satmFormat.short,
      ...options.methods
    }
  })
}
