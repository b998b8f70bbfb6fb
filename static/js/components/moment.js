// @ts-check
// An instant: local in the text, UTC in the tooltip.
satmComponent('satm-moment', {props: {at: {type: String, default: null}}})
