import { parseArgs } from 'node:util'
import type { FlawName } from './flaws.ts'
import { reportOf, traceOf } from './report.ts'
import { MODES, type Mode } from './scenario.ts'
import { simulate } from './simulate.ts'

/** `npm run test:simulate -- --seeds N --from SEED [--mode M] [--flaw F] [--failures N] [--trace]` */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    mode: { type: 'string' },
    flaw: { type: 'string' },
    failures: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
})
const [from, seeds, failuresMax] = [values.from, values.seeds, values.failures].map(Number) as [
  number,
  number,
  number,
]
const flaw = (values.flaw ?? null) as FlawName | null
const modes = values.mode === undefined ? MODES : [values.mode as Mode]
const total = { runs: 0, messages: 0, references: 0, happened: 0, failed: 0 }
const before = process.cpuUsage()

for (let seed = from; seed < from + seeds && total.failed < failuresMax; seed++) {
  for (const mode of modes) {
    const options = { seed, mode, flaw }
    const result = await simulate(options)
    total.runs++
    total.messages += result.messages
    total.references += result.references
    total.happened += result.happened
    if (values.trace) print((await traceOf(options)).join('\n'))
    if (result.violation === null) continue
    total.failed++
    print(await reportOf(options))
  }
}

const { user, system } = process.cpuUsage(before)
const seconds = (user + system) / 1e6
print(
  `${total.runs} runs, ${total.failed} failed; ${total.messages} messages, ${total.references} references, ${total.happened} happenings; ${seconds.toFixed(1)} s of CPU, ${(total.runs / seconds).toFixed(0)} runs a second`,
)
process.exitCode = total.failed > 0 ? 1 : 0

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
