import { isSealError, type SealError } from '../errors.ts'
import { forEachOf } from '../for-each-of.ts'
import { concernsAll } from './general-failures.ts'
import {
  type ReencryptionItem,
  type ReencryptionOutcome,
  type ReencryptionServices,
  reencryptSegment,
} from './segment-reencryption.ts'

/** How a job is carried out. */
export interface JobSettings {
  /** Segments that are worked on at a time. */
  readonly atOnce: number
  /** Ends the job between two segments; those under way are finished first. */
  readonly signal: AbortSignal
  /** Hears of every segment that is done. */
  readonly onDone: (item: ReencryptionItem, outcome: ReencryptionOutcome) => void
}

/** A segment that could not be re-encrypted. It stays as it was: readable, under its old DEK. */
export interface JobFailure {
  readonly item: ReencryptionItem
  readonly error: SealError
}

/** What a job has done. */
export interface JobOutcome {
  readonly moved: number
  /** Already under another DEK when they were looked at: a job that did not end was finished. */
  readonly finished: number
  readonly gone: number
  readonly messages: number
  readonly bytes: number
  /** Segments of which the store keeps a version under the old DEK, and until when at the latest. */
  readonly retained: number
  readonly retainedUntilMs: number | null
  readonly failures: readonly JobFailure[]
  readonly isStopped: boolean
}

/**
 * Re-encrypts segments, a few at a time. May be stopped and begun again, and may run in several
 * processes at once: what a segment needs is told by its object. A segment that cannot be
 * re-encrypted (damaged, its key destroyed) is noted, and the others go on. Throws what concerns all
 * of them: credentials, rights, settings.
 */
export async function reencryptAll(
  services: ReencryptionServices,
  items: Iterable<ReencryptionItem> | AsyncIterable<ReencryptionItem>,
  { atOnce, signal, onDone }: JobSettings,
): Promise<JobOutcome> {
  const counts = { moved: 0, finished: 0, gone: 0, messages: 0, bytes: 0, retained: 0 }
  const failures: JobFailure[] = []
  let retainedUntilMs: number | null = null
  const take = (outcome: ReencryptionOutcome) => {
    counts[outcome.kind]++
    counts.messages += outcome.messages
    counts.bytes += outcome.bytes
    if (outcome.retainedUntilMs === null) return
    counts.retained++
    retainedUntilMs = Math.max(retainedUntilMs ?? 0, outcome.retainedUntilMs)
  }
  await forEachOf(untilStopped(items, signal), atOnce, async (item) => {
    try {
      const outcome = await reencryptSegment(services, item)
      take(outcome)
      onDone(item, outcome)
    } catch (error) {
      if (isSealError(error, 'SEAL_STOPPED')) return
      if (!isSealError(error) || concernsAll(error)) throw error
      failures.push({ item, error })
    }
  })
  return { ...counts, retainedUntilMs, failures, isStopped: signal.aborted }
}

/** Whoever is stopped need not walk over what is left. */
async function* untilStopped(
  items: Iterable<ReencryptionItem> | AsyncIterable<ReencryptionItem>,
  signal: AbortSignal,
): AsyncGenerator<ReencryptionItem> {
  for await (const item of items) {
    if (signal.aborted) return
    yield item
  }
}
