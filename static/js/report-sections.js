// @ts-check
/**
 * The five sections as tables, for the page and for paper: which columns, in which words.
 *
 * @param {BooksReport} found
 * @returns {ReportSection[]}
 */
function satmReportSections(found) {
  const {t} = satmText
  const {number, sats, fiat, when} = satmFormat
  const right = /** @type {'right'} */ ('right')
  /** @param {string} name */
  const money = name => ({
    name,
    label: t(`report.sum.${name}`),
    align: right,
    value: row => fiat(row[name], row.currency)
  })
  const name = row => row.username || satmFormat.short(row.client_id)
  const verdict = {
    name: 'verdict',
    label: t('state'),
    value: row => (row.ok ? 'ok' : 'mismatch')
  }
  const done = found.processing
  return [
    {
      name: 'clients',
      wrong: found.wrong.clients,
      opens: 'client',
      rows: found.clients.map(row => ({
        ...row,
        key: `${row.client_id} ${row.currency}`
      })),
      columns: [
        {name: 'client', label: t('client'), value: name},
        ...['opening', 'deposits', 'corrections', 'shares', 'closing'].map(
          money
        ),
        money('stored'),
        money('discrepancy'),
        verdict
      ]
    },
    {
      name: 'processing',
      wrong: null,
      facts: [
        {label: t('tab.cash-outs'), value: number(done.cash_outs)},
        {label: t('report.total'), value: sats(done.total_sats)},
        {label: t('report.distributed'), value: sats(done.distributed_sats)},
        {label: t('part.owed'), value: sats(done.owed_sats)},
        {label: t('commission'), value: sats(done.commission_sats)},
        {
          label: t('report.remainder'),
          value: sats(done.operator_remainder_sats)
        },
        {label: t('report.first'), value: when(done.first_at)},
        {label: t('report.last'), value: when(done.last_at)},
        ...Object.entries(done.waiting).map(([state, count]) => ({
          label: t(`cashOut.${state}`),
          value: number(count)
        }))
      ],
      rows: done.currencies.map(row => ({...row, key: row.currency})),
      columns: [
        {
          name: 'currency',
          label: t('report.currency'),
          value: row => row.currency
        },
        {
          name: 'cash_outs',
          label: t('tab.cash-outs'),
          align: right,
          value: row => number(row.cash_outs)
        },
        money('dispensed'),
        money('charged')
      ]
    },
    {
      name: 'shares',
      wrong: found.wrong.shares,
      rows: found.shares.map(row => ({...row, key: row.status})),
      columns: [
        {name: 'status', label: t('state'), value: row => row.status},
        {
          name: 'count',
          label: t('list.shares'),
          align: right,
          value: row => number(row.count)
        },
        {
          name: 'sats',
          label: 'sats',
          align: right,
          value: row => number(row.sats)
        },
        {
          name: 'oldest',
          label: t('report.oldest'),
          value: row => when(row.oldest_at)
        },
        {
          name: 'newest',
          label: t('report.newest'),
          value: row => when(row.newest_at)
        }
      ]
    },
    {
      name: 'deposits',
      wrong: found.wrong.deposits,
      opens: 'client',
      rows: found.deposits.map(row => ({...row, key: row.id})),
      columns: [
        {name: 'client', label: t('client'), value: name},
        {
          name: 'amount',
          label: t('deposit.amount'),
          align: right,
          value: row => fiat(row.amount, row.currency)
        },
        {
          name: 'created_at',
          label: t('list.writtenDown'),
          value: row => when(row.created_at)
        },
        {
          name: 'hours',
          label: t('report.hours'),
          align: right,
          value: row => number(row.hours)
        }
      ]
    },
    {
      name: 'splits',
      wrong: found.wrong.splits,
      opens: 'cash-out',
      rows: found.splits.map(row => ({...row, key: row.id})),
      columns: [
        {name: 'at', label: t('cashOut'), value: row => when(row.at)},
        {name: 'rule', label: t('report.rule'), value: row => row.rule},
        {
          name: 'total',
          label: t('report.total'),
          align: right,
          value: row => number(row.total_sats)
        },
        {
          name: 'commission',
          label: t('commission'),
          align: right,
          value: row => number(row.commission_sats)
        },
        {
          name: 'expected',
          label: t('report.expected'),
          align: right,
          value: row => number(row.expected_commission_sats)
        },
        {
          name: 'difference',
          label: t('report.discrepancy'),
          align: right,
          value: row => number(row.difference_sats)
        },
        verdict
      ]
    }
  ]
}
