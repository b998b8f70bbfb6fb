// @ts-check
// LNbits mounts it after its own components are there.
window.app = Vue.createApp({
  el: '#vue',
  mixins: [windowMixin],
  delimiters: ['${', '}']
})
