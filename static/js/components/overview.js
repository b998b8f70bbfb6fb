// @ts-check
// The overview: what needs the operator, the numbers, the charts. Each part is asked for by
// itself, so that a slow or broken one takes nothing from the others.
satmComponent('satm-overview', {
  props: {
    status: {type: Object, default: null},
    version: {type: Number, required: true}
  },
  emits: ['open', 'poll', 'test', 'start', 'resume'],
  data() {
    return {
      /** @type {Record<string, any>} */
      found: {needs: null, summary: null, funds: null, charts: null},
      /** @type {Record<string, Problem | null>} */
      problems: {},
      days: 30,
      /** @type {Record<string, number>} */
      asked: {}
    }
  },
  watch: {
    version() {
      this.load()
    },
    days() {
      this.fetch('charts')
    }
  },
  created() {
    this.load()
  },
  methods: {
    load() {
      for (const part of Object.keys(this.found)) this.fetch(part)
    },
    /** An answer that was overtaken by a later question is dropped.
     * @param {string} part
     */
    async fetch(part) {
      const turn = (this.asked[part] ?? 0) + 1
      this.asked[part] = turn
      const params = part === 'charts' ? {days: this.days} : {}
      let answer = null
      let problem = null
      try {
        answer = await satmApi.get(part, params)
      } catch (error) {
        problem = satmApi.problem(error)
      }
      if (turn !== this.asked[part]) return
      this.problems = {...this.problems, [part]: problem}
      if (answer) this.found = {...this.found, [part]: answer}
    }
  }
})
