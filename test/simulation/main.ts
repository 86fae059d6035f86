import { parseArgs } from 'node:util'
import { FLAWS } from './flaws.ts'
import { reportOf, traceOf } from './report.ts'
import { MODES } from './scenario.ts'
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
const from = countOf('--from', values.from)
const seeds = countOf('--seeds', values.seeds)
const failuresMax = countOf('--failures', values.failures)
const flaw = oneOf('--flaw', FLAWS, values.flaw) ?? null
const mode = oneOf('--mode', MODES, values.mode)
const modes = mode === undefined ? MODES : [mode]
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

function countOf(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  return refuse(`${option} ${text}: a whole number from 1 on`)
}

function oneOf<T extends string>(option: string, all: readonly T[], text?: string): T | undefined {
  const found = all.find((name) => name === text)
  if (text === undefined || found !== undefined) return found
  return refuse(`${option} ${text}: one of ${all.join(', ')}`)
}

function refuse(message: string): never {
  process.stderr.write(`simulate: ${message}\n`)
  process.exit(2)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
