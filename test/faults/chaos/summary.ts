import type { Fleet } from './fleet.ts'
import type { LedgerVerdict } from './ledger.ts'
import type { CommandEnd } from './proof.ts'
import { secondsText } from './run-log.ts'
import type { StoryEnd } from './storyline.ts'
import type { Sweeps } from './sweeps.ts'

/** Everything that a run has shown. */
export interface Outcome {
  readonly story: StoryEnd
  /** Partitions that were not sealed to their end. */
  readonly behind: readonly string[]
  /** Whether the last encryptors ended as asked. */
  readonly endedWell: boolean
  readonly sweeps: Pick<Sweeps, 'ends' | 'removed'>
  readonly verify: CommandEnd
  readonly verdict: LedgerVerdict & { readonly failure: string | null }
  readonly fleet: Pick<Fleet, 'starts' | 'ownEnds' | 'politeEnds' | 'counts' | 'logged'>
  readonly totals: { readonly acked: number; readonly unknown: number; readonly aborted: number }
}

/** An encryptor that starts while a service is away ends with one of these, and is started again. */
const PASSING = /^SEAL_\w+_UNAVAILABLE$/
/** One that is asked to end while a service is away may give up, or is not even up yet. */
const PASSING_WHEN_ASKED = /^(exit code 0|SEAL_STOPPED|SIGTERM|SEAL_\w+_UNAVAILABLE)$/

/** One that runs while a service is away goes no further, and the next one goes on. */
const PASSING_SWEEP = /^(exit code 0|a service was away)$/

/** What is wrong, a sentence each; empty when nothing is. */
export function findingsOf(outcome: Outcome): readonly string[] {
  const { story, behind, endedWell, verdict, fleet, sweeps, verify } = outcome
  const odd = (ends: ReadonlyMap<string, number>, passing: RegExp) =>
    [...ends].filter(([how]) => !passing.test(how)).map(([how, count]) => `${how} (${count} times)`)
  const lists = (['missing', 'doubled', 'unequal', 'aborted'] as const).map(
    (kind) => [`messages ${kind}`, verdict[kind]] as const,
  )
  const found: (readonly [string, readonly string[]])[] = [
    ['not sealed to the end', behind],
    ...lists,
    ['references do not open', verdict.failure === null ? [] : [verdict.failure]],
    ['encryptors ended by themselves', odd(fleet.ownEnds, PASSING)],
    ['encryptors that were asked ended badly', odd(fleet.politeEnds, PASSING_WHEN_ASKED)],
    ['the last encryptors did not end well', endedWell ? [] : ['see their logs']],
    ['no recovery in time', story.stuck > 0 ? [`${story.stuck} times`] : []],
    ['events that failed', story.failures > 0 ? [`${story.failures} times`] : []],
    ['partitions stopped', fleet.logged(STOPPED) > 0 ? [`${fleet.logged(STOPPED)} times`] : []],
    ['sealstream sweep', odd(sweeps.ends, PASSING_SWEEP)],
    ['sealstream verify', verify.code === 0 ? [] : [`exit code ${verify.code}`]],
  ]
  return found
    .filter(([, what]) => what.length > 0)
    .map(([kind, what]) => `${kind}: ${what.join(', ')}`)
}

const STOPPED = /"msg":"partition stopped/
const RESET = /"msg":"lane begins again/

/** The summary, line by line. */
export function summaryLines(outcome: Outcome): readonly string[] {
  const { story, fleet, totals, verdict, sweeps, verify } = outcome
  const findings = findingsOf(outcome)
  const events = [...story.events].toSorted(([a], [b]) => a.localeCompare(b))
  const total = events.reduce((sum, [, count]) => sum + count, 0)
  const slowest = Math.max(0, ...story.recoveriesMs)
  const { transactions, references } = fleet.counts
  const rows: [string, string | number][] = [
    ['events', total],
    ...events.map(([kind, count]): [string, number] => [`  ${kind}`, count]),
    ['messages acknowledged by Kafka', totals.acked],
    ['messages without an answer from Kafka', totals.unknown],
    ['messages of aborted transactions', totals.aborted],
    ['references opened and held against the ledger', verdict.checked],
    ['transactions of encryptors, at least', transactions],
    ['references of encryptors, at least', references],
    ['starts of encryptors', fleet.starts],
    ...reasons('  ended by themselves', fleet.ownEnds),
    ...reasons('  ended when asked', fleet.politeEnds),
    ...reasons('sweeps', sweeps.ends),
    ['  removed by them', sweeps.removed],
    ['lane resets', fleet.logged(RESET)],
    ['times that all came back', story.recoveriesMs.length],
    ['  slowest recovery', secondsText(slowest)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    ...['', 'Summary', ''],
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...commandLines('sealstream verify', verify),
    '',
    ...(findings.length === 0 ? ['Nothing is wrong.'] : findings.map((text) => `WRONG: ${text}`)),
  ]
}

function reasons(what: string, ends: ReadonlyMap<string, number>): [string, number][] {
  return [...ends].map(([reason, count]) => [`${what}: ${reason}`, count])
}

function commandLines(name: string, end: CommandEnd): string[] {
  const said = end.code === 0 ? end.stdout : `${end.stdout}${end.stderr}`
  return ['', name, '', ...said.trimEnd().split('\n')]
}
