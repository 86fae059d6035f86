import { costOf } from '../measure.ts'
import type { StageRow } from './stages.ts'

const PROCESSES = ['encryptor', 'kafka', 'cassandra', 's3', 'kms']

/** The ladder for a terminal: medians, and the difference to the row above for the encryptor and for all. */
export function renderStages(rows: readonly StageRow[]): string {
  const head = ['', ...PROCESSES, 'all', 'encryptor +', 'all +', 'msg/s']
  let before = { own: 0, all: 0 }
  const lines = rows.map(({ stage, runs }) => {
    const median = (values: number[]) => costOf(values).medianUs
    const each = PROCESSES.map((name) => median(runs.map((run) => run.cpuMicros[name] ?? 0)))
    const all = each.reduce((sum, us) => sum + us, 0)
    const own = each[0] ?? 0
    const cells = [...each, all, own - before.own, all - before.all].map((us) => us.toFixed(2))
    before = { own, all }
    return [stage, ...cells, median(runs.map((run) => run.messagesPerSecond)).toFixed(0)]
  })
  const text = [head, ...lines].map((cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(12))).join(''),
  )
  return `CPU us a message, the road up to each stage (${rows[0]?.valueBytes} B)\n${text.join('\n')}\n`
}
