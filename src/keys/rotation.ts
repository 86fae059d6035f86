import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { isSealError } from '../errors.ts'
import type { KeyAnswer, KeyOffice, KeyRequest, SeenInstance } from './key-desk.ts'
import type { RetiredKey } from './running-keys.ts'

/**
 * How an instance stands to a request. waiting: it runs and has said nothing yet; closing: its
 * windows are ended, segments under them are still open; retired: it has finished; stopped: it ended
 * in good order, and its DEKs with it; gone: it has fallen silent within the last day, before it was
 * asked or since, and may hold its DEKs yet; dead: gone, and the operator knows that it has ended;
 * refused: it runs, and goes on as before because it cannot do what was asked.
 */
export type Standing = 'waiting' | 'closing' | 'retired' | 'stopped' | 'gone' | 'dead' | 'refused'

/** One instance and what it did about a request. */
export interface InstanceReport {
  readonly instanceId: string
  readonly standing: Standing
  readonly retired: readonly RetiredKey[]
  /** Why it refused, in words; else null. */
  readonly refusal: string | null
}

/** What became of a request so far. */
export interface RotationReport {
  readonly request: KeyRequest
  /** Every instance that ran since the request was placed, or fell silent before it, by id. */
  readonly instances: readonly InstanceReport[]
}

/** How long to wait, and who hears of it. */
export interface RotationWait {
  /** Ids of instances that have ended, as the operator knows. */
  readonly dead: ReadonlySet<string>
  readonly timeoutMs: number
  /** Ends the waiting; the request remains. */
  readonly signal: AbortSignal
  /** An instance has come to another standing. */
  readonly onChange: (report: InstanceReport) => void
}

/** Where a request is placed and answered. */
export interface RotationServices {
  readonly office: Pick<KeyOffice, 'place' | 'instances' | 'answers'>
  readonly clock: Clock
}

const LOOK_EVERY_MS = 300
const CONFIRMED: ReadonlySet<Standing> = new Set(['retired', 'stopped', 'dead'])

/** A request that is not placed yet. */
export function newRequest(asked: Omit<KeyRequest, 'requestId' | 'askedAtMs'>, nowMs: number) {
  return { ...asked, requestId: randomUUID(), askedAtMs: nowMs }
}

/** Whether nothing is under way any more. */
export function isSettled({ instances }: RotationReport): boolean {
  return instances.every(({ standing }) => standing !== 'waiting' && standing !== 'closing')
}

/** When a DEK that was retired was used last, by the clocks of the instances; null for never. */
export function lastUseOf({ instances }: RotationReport): number | null {
  const uses = instances.flatMap(({ retired }) => retired.map((key) => key.lastUsedAtMs ?? 0))
  const last = Math.max(0, ...uses)
  return last === 0 ? null : last
}

/** The instances that did not confirm that the DEKs in scope are wiped. */
export function unconfirmed({ instances }: RotationReport): readonly InstanceReport[] {
  return instances.filter(({ standing }) => !CONFIRMED.has(standing))
}

/**
 * Places a request and waits until every instance that runs has done it, at most for the time that
 * is given. Cassandra may go away meanwhile. Rejects when the request cannot be placed, and with
 * refusals that no waiting mends.
 */
export async function rotateEverywhere(
  { office, clock }: RotationServices,
  request: KeyRequest,
  { timeoutMs, signal, dead, onChange }: RotationWait,
): Promise<RotationReport> {
  const endMs = clock.elapsedMs() + timeoutMs
  await office.place(request)
  const standings = new Map<string, InstanceReport>()
  let report: RotationReport | null = null
  for (;;) {
    try {
      // In this order: whoever has gone by the second look may have answered before.
      const running = await office.instances()
      follow(standings, running, await office.answers(request.requestId), { dead, onChange })
      report = reportOf(request, standings)
      if (isSettled(report)) return report
    } catch (error) {
      const isOver = signal.aborted || clock.elapsedMs() >= endMs
      if (!isSealError(error) || !error.retryable || (isOver && report === null)) throw error
    }
    if (report !== null && (signal.aborted || clock.elapsedMs() >= endMs)) return report
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

function reportOf(
  request: KeyRequest,
  standings: ReadonlyMap<string, InstanceReport>,
): RotationReport {
  const ids = [...standings.keys()].sort()
  return { request, instances: ids.map((id) => standings.get(id) as InstanceReport) }
}

function follow(
  standings: Map<string, InstanceReport>,
  running: readonly SeenInstance[],
  answers: readonly KeyAnswer[],
  { dead, onChange }: Pick<RotationWait, 'dead' | 'onChange'>,
): void {
  const seen = new Map(running.map((instance) => [instance.instanceId, instance]))
  const answered = new Map(answers.map((answer) => [answer.instanceId, answer]))
  // Those that were seen stopped and never running had ended before the request.
  const started = running.filter(({ state }) => state === 'running')
  const ids = [...standings.keys(), ...answered.keys(), ...started.map((one) => one.instanceId)]
  for (const instanceId of new Set(ids)) {
    const before = standings.get(instanceId)
    const answer = answered.get(instanceId)
    const standsSo = standingOf(answer, seen.get(instanceId), before?.standing)
    const standing = standsSo === 'gone' && dead.has(instanceId) ? 'dead' : standsSo
    if (standing === before?.standing) continue
    const refusal = standing === 'refused' ? (answer?.refusal ?? null) : null
    const report = { instanceId, standing, retired: answer?.retired ?? [], refusal }
    standings.set(instanceId, report)
    onChange(report)
  }
}

function standingOf(
  answer: KeyAnswer | undefined,
  instance: SeenInstance | undefined,
  before: Standing | undefined,
): Standing {
  if (answer !== undefined && answer.finishedAtMs !== null) return 'retired'
  if (instance?.state === 'stopped' || before === 'stopped') return 'stopped'
  if (instance === undefined || instance.isSilent) return 'gone'
  if (answer === undefined) return 'waiting'
  return answer.refusal === null ? 'closing' : 'refused'
}
