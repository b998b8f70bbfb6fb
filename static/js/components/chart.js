// @ts-check
// One picture drawn by LNbits' Chart.js, with its numbers in a sentence and, on request, in a
// table. A click on a point opens the rows behind it; so does its row in the table, by keyboard.
satmComponent('satm-chart', {
  props: {
    title: {type: String, required: true},
    picture: {type: Object, default: null},
    sentence: {type: String, default: ''},
    empty: {type: String, default: ''},
    problem: {type: Object, default: null}
  },
  emits: ['pick', 'retry'],
  data() {
    return {asTable: false}
  },
  computed: {
    drawn() {
      return !!this.picture && !this.empty && !this.asTable
    },
    /** What makes the picture look different; the drawing follows it. */
    look() {
      return JSON.stringify([
        this.picture,
        this.drawn,
        this.$q.dark.isActive,
        satmText.language()
      ])
    }
  },
  watch: {
    look() {
      this.$nextTick(this.draw)
    }
  },
  mounted() {
    this.draw()
  },
  beforeUnmount() {
    this.chart?.destroy()
  },
  methods: {
    draw() {
      this.chart?.destroy()
      this.chart = null
      const canvas = /** @type {HTMLCanvasElement | undefined} */ (
        this.$refs.canvas
      )
      if (!this.drawn || !canvas) return
      const picture = /** @type {Picture} */ (this.picture)
      this.chart = new Chart(canvas, {
        type: picture.type,
        data: {
          labels: picture.labels,
          datasets: picture.series.map(one => this.dataset(one, picture))
        },
        options: this.options(canvas, picture)
      })
    },
    dataset({label, role, values}, {type}) {
      const color = Quasar.colors.getPaletteColor(role)
      return {
        label,
        data: values,
        borderColor: color,
        backgroundColor: color,
        borderRadius: 3,
        borderWidth: type === 'line' ? 2 : 0,
        pointRadius: 3,
        pointHitRadius: 12,
        spanGaps: true,
        stack: 'one',
        maxBarThickness: 28
      }
    },
    /**
     * @param {HTMLElement} canvas
     * @param {Picture} picture
     */
    options(canvas, picture) {
      const color = window.getComputedStyle(canvas).color
      const grid = {color: Quasar.colors.changeAlpha(this.hex(color), 0.12)}
      const stacked = picture.type === 'bar'
      const short = new Intl.NumberFormat(satmFormat.locale(), {
        notation: 'compact'
      })
      const amounts = {
        stacked,
        grid,
        ticks: {color, maxTicksLimit: 6, callback: value => short.format(value)}
      }
      const names = {
        stacked,
        grid: {display: false},
        ticks: {color, maxRotation: 0, autoSkip: !picture.lying}
      }
      return {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        indexAxis: picture.lying ? 'y' : 'x',
        interaction: {
          mode: 'index',
          axis: picture.lying ? 'y' : 'x',
          intersect: false
        },
        locale: satmFormat.locale(),
        scales: picture.lying
          ? {x: {...amounts, beginAtZero: true}, y: names}
          : {x: names, y: {...amounts, beginAtZero: stacked}},
        plugins: {
          legend: {display: picture.series.length > 1, labels: {color}},
          tooltip: {
            callbacks: {
              label: point => {
                const {label} = picture.series[point.datasetIndex]
                const text = picture.rows[point.dataIndex]
                return `${label}: ${text[point.datasetIndex + 1]}`
              }
            }
          }
        },
        onClick: (_, points) => {
          if (points.length) this.$emit('pick', points[0].index)
        }
      }
    },
    /** A computed colour, rgb(r, g, b), as Quasar's functions take it. */
    hex(color) {
      const [r, g, b] = (color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number)
      return Quasar.colors.rgbToHex({r, g, b})
    }
  }
})
