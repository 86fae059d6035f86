import { type Check, throwIfStopped } from './check.ts'
import { OffsetSet } from './offset-set.ts'
import type { PartitionPlan } from './partition-check.ts'

/** The offsets that notes of quarantine have set aside. A record that is no note of this partition sets nothing aside. */
export async function readNotes(check: Check, plan: PartitionPlan): Promise<OffsetSet> {
  const offsets = new OffsetSet()
  if (plan.notes === null) return offsets
  const { oldest, end } = plan.notes
  const topic = plan.topic + check.settings.quarantineTopicSuffix
  const at = { topic, partition: plan.partition }
  for await (const { records } of check.services.log.read(at, oldest, end, 'wait')) {
    throwIfStopped(check)
    for (const { value } of records) {
      const offset = offsetOf(value, plan)
      if (offset !== null) offsets.add(offset)
    }
  }
  return offsets
}

/** `{"v":1,"topic":…,"partition":…,"offset":…,"reason":…}`, as publication.ts writes it. */
function offsetOf(value: Uint8Array | null, plan: PartitionPlan): number | null {
  try {
    const note = JSON.parse(Buffer.from(value ?? []).toString('utf8')) as Record<string, unknown>
    const isNote = note.v === 1 && typeof note.reason === 'string'
    const isOfHere = note.topic === plan.topic && note.partition === plan.partition
    return isNote && isOfHere && Number.isSafeInteger(note.offset) ? (note.offset as number) : null
  } catch {
    return null
  }
}
