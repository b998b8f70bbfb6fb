// @ts-check
// What a table is narrowed by, each with a button that takes it away.
satmComponent('satm-filter-chips', {
  props: {
    /** @type {any} {name, label}[] */
    chips: {type: Array, required: true}
  },
  emits: ['remove', 'clear']
})
