// @ts-check
/**
 * The doorbell of the page: a websocket that says "something changed" and carries no data.
 *
 * It is open only while the page is visible. When it breaks it is opened again after 1, 2, 4 ...
 * seconds, at most a minute; meanwhile the page asks by itself more often.
 */
class SatmLive {
  /** @param {() => void} rung */
  constructor(rung) {
    this.rung = rung
    this.id = ''
    this.up = false
    this.failures = 0
    this.timer = 0
    /** @type {WebSocket | null} */
    this.socket = null
  }

  /** Listen under this id, which every start of LNbits makes anew.
   * @param {string} id
   */
  listen(id) {
    if (id === this.id && (this.socket || this.timer)) return
    this.close()
    this.id = id
    this.open()
  }

  open() {
    this.timer = 0
    if (!this.id || document.visibilityState !== 'visible') return
    const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws'
    const socket = new WebSocket(
      `${scheme}://${window.location.host}/api/v1/ws/${this.id}`
    )
    this.socket = socket
    socket.onopen = () => {
      this.up = true
      this.failures = 0
    }
    socket.onmessage = () => this.rung()
    socket.onclose = () => {
      if (socket !== this.socket) return // closed by us
      this.socket = null
      this.up = false
      const pause = Math.min(60000, 1000 * 2 ** this.failures++)
      this.timer = setTimeout(() => this.open(), pause * (0.5 + Math.random()))
    }
  }

  close() {
    clearTimeout(this.timer)
    const socket = this.socket
    this.socket = null
    this.timer = 0
    this.up = false
    if (!socket) return
    // Closed before it was open, a browser would complain of it in its console.
    if (socket.readyState !== WebSocket.CONNECTING) socket.close()
    else socket.onopen = () => socket.close()
  }
}
