import { SealError } from '../errors.ts'
import type { Check } from './check.ts'
import type { PartitionPlan } from './partition-check.ts'
import type { LogBounds, RecordLog } from './ports.ts'

/**
 * How far each partition of the topics is compared. The order of the questions matters, see
 * verify.ts. Throws SEAL_TOPIC_MISSING when a source is not there.
 */
export async function planTopics(check: Check): Promise<readonly PartitionPlan[]> {
  const { log } = check.services
  const { topics, referenceTopicSuffix, quarantineTopicSuffix } = check.settings
  const plans: PartitionPlan[] = []
  for (const topic of topics) {
    await sourceOf(log, topic)
    const committed = await log.committed(topic)
    const references = byPartition(await log.bounds(topic + referenceTopicSuffix))
    const notes = byPartition(await log.bounds(topic + quarantineTopicSuffix))
    const source = await sourceOf(log, topic)
    const isCompacted = await log.isCompacted(topic)
    const sources = byPartition(source)
    for (const partition of new Set([...sources.keys(), ...references.keys()])) {
      const bounds = sources.get(partition) ?? { partition, oldest: 0, end: 0 }
      plans.push({
        ...{ topic, partition, source: bounds, isCompacted },
        committed: within(bounds, committed.get(partition)),
        references: references.get(partition) ?? null,
        notes: notes.get(partition) ?? null,
      })
    }
  }
  return plans
}

async function sourceOf(log: RecordLog, topic: string): Promise<readonly LogBounds[]> {
  const bounds = await log.bounds(topic)
  if (bounds !== null) return bounds
  throw new SealError('SEAL_TOPIC_MISSING', `no topic ${topic}`)
}

function byPartition(bounds: readonly LogBounds[] | null): ReadonlyMap<number, LogBounds> {
  return new Map((bounds ?? []).map((entry) => [entry.partition, entry]))
}

/** A group may have committed nothing yet, or once before the topic was made anew. */
function within({ oldest, end }: LogBounds, committed: number | undefined): number {
  return Math.min(Math.max(committed ?? oldest, oldest), end)
}
