import { forEachOf } from '../for-each-of.ts'
import type {
  Check,
  VerifyCounts,
  VerifyObserver,
  VerifyServices,
  VerifySettings,
} from './check.ts'
import { throwIfStopped } from './check.ts'
import { type Finding, type FindingKind, Findings } from './findings.ts'
import { checkKeys } from './key-check.ts'
import { checkMapping } from './mapping-check.ts'
import { PartitionCheck, type PartitionOutcome, type PartitionPlan } from './partition-check.ts'
import { planTopics } from './plan.ts'
import { SegmentTable } from './segment-table.ts'
import { checkObjects, readIntents } from './storage-check.ts'

/** What a verification found. */
export interface Verification {
  /** True when nothing is wrong, as far as it got. */
  readonly isConsistent: boolean
  /** False when it was stopped: then the counts are those of a part, and what is missing is not told. */
  readonly isComplete: boolean
  readonly counts: Readonly<VerifyCounts>
  /** What counts as a young object. */
  readonly youngMs: number
  /** How many of each kind are wrong. */
  readonly wrong: Readonly<Record<FindingKind, number>>
  /** The first of each kind. */
  readonly findings: readonly Finding[]
}

const PARTITIONS_AT_ONCE = 4
/** What the marker of a transaction may take from the reference topic to the offsets of the group. */
const COMMIT_VISIBLE_MS = 5_000
const COMMIT_POLL_MS = 100

/**
 * Holds source, references, bucket and mapping against each other, and says what is wrong: the
 * promise of exactly once, and that every reference opens to its message. It may run beside
 * encryptors, because it looks in the order in which nothing can be missing that was there before:
 *
 * 1. committed offsets, then the ends of the reference topics, then those of the sources. A
 *    reference is written before its transaction commits the offset, so what a committed offset
 *    promises lies below those ends.
 * 2. References and sources. What was published since the first look is not compared.
 * 3. Intents, then objects and uploads: an intent is there before the first byte of its object. What
 *    no intent names is looked up once more.
 * 4. Mapping rows and DEKs of the segments that references name: both are there before these.
 *
 * Reads only. Memory: the fetches and slices of four partitions, and some 300 bytes a segment.
 * Throws when it cannot check (SEAL_KAFKA_*, SEAL_TOPIC_MISSING, SEAL_STORE_*, SEAL_MAPPING_*,
 * SEAL_KMS_*), and does not when `signal` aborts: what was found by then comes back.
 */
export async function verify(
  services: VerifyServices,
  settings: VerifySettings,
  observer: VerifyObserver,
  signal: AbortSignal,
): Promise<Verification> {
  const findings = new Findings(settings.findingsMax)
  const segments = new SegmentTable()
  const counts = noCounts()
  const firstReferenced = new Map<string, number>()
  const shared = { services, settings, observer, signal, findings, counts, segments }
  const isComplete = await isDone({ ...shared, firstReferenced })
  return {
    isConsistent: findings.isEmpty,
    isComplete,
    counts,
    youngMs: settings.youngMs,
    wrong: findings.counts,
    findings: findings.list(),
  }
}

/** False when it was stopped: then at once, whatever a service is waited for. */
async function isDone(check: Check): Promise<boolean> {
  const { signal } = check
  const stopped = Promise.withResolvers<false>()
  const onAbort = () => stopped.resolve(false)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const done = checkAll(check).then(() => true)
  // What is left to itself ends at its next step, and whatever it meets by then is nobody's concern.
  done.catch(() => {})
  try {
    return await Promise.race([stopped.promise, done])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function checkAll(check: Check): Promise<void> {
  await checkPartitions(check, await planTopics(check))
  for (const _segment of check.segments.referenced()) check.counts.segments++
  await readIntents(check)
  await checkObjects(check)
  await checkMapping(check)
  await checkKeys(check)
}

async function checkPartitions(check: Check, plans: readonly PartitionPlan[]): Promise<void> {
  const total = plans.reduce((sum, { source, committed }) => sum + committed - source.oldest, 0)
  check.observer.stepBegan('messages', total)
  const outcomes: PartitionOutcome[] = []
  await forEachOf(plans, PARTITIONS_AT_ONCE, async (plan) => {
    throwIfStopped(check)
    outcomes.push(await new PartitionCheck(check, plan).run())
  })
  for (const topic of check.settings.topics) {
    await settleBeyond(
      check,
      topic,
      outcomes.filter(({ plan }) => plan.topic === topic),
    )
  }
}

/**
 * References from the committed offset on were published since that was read. If the group has still
 * not committed behind them, their transaction was torn, or somebody set the offsets back.
 */
async function settleBeyond(
  check: Check,
  topic: string,
  outcomes: readonly PartitionOutcome[],
): Promise<void> {
  const { log, clock } = check.services
  const deadlineMs = clock.elapsedMs() + COMMIT_VISIBLE_MS
  let open = outcomes.filter(({ beyond }) => !beyond.isEmpty)
  while (open.length > 0) {
    const committed = await log.committed(topic)
    const offsetOf = ({ plan }: PartitionOutcome) =>
      committed.get(plan.partition) ?? plan.source.oldest
    open = open.filter((outcome) => outcome.beyond.countFrom(offsetOf(outcome)) > 0)
    if (open.length === 0) return
    if (clock.elapsedMs() >= deadlineMs) {
      for (const outcome of open) tellUncommitted(check, outcome, offsetOf(outcome))
      return
    }
    throwIfStopped(check)
    await clock.sleep(COMMIT_POLL_MS, check.signal)
  }
}

function tellUncommitted(
  { findings }: Check,
  { plan: { topic, partition }, beyond }: PartitionOutcome,
  committed: number,
): void {
  const meaning = `the group goes on at ${committed}, and would seal the message again`
  for (const { first, last } of beyond.ranges()) {
    if (last < committed) continue
    const offset = Math.max(first, committed)
    const count = last - offset + 1
    const run = count > 1 ? { lastOffset: last } : {}
    findings.add({ kind: 'uncommitted', topic, partition, offset, ...run, count, meaning })
  }
}

function noCounts(): VerifyCounts {
  return {
    messages: 0,
    references: 0,
    openedEqual: 0,
    openedAlone: 0,
    shredded: 0,
    setAside: 0,
    messageGone: 0,
    referenceGone: 0,
    notSealedYet: 0,
    segments: 0,
    objects: 0,
    unreferencedObjects: null,
    unreferencedYoung: null,
  }
}
