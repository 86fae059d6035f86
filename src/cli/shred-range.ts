import { systemClock } from '../clock.ts'
import type { ImpactReader } from '../incident/impact-scope.ts'
import type { ShredReport } from '../incident/shred-receipt.ts'
import {
  type MessageRange,
  segmentsOfRange,
  shredMessages,
} from '../reencryption/shred-messages.ts'
import type { ShredContext } from './shred-keys.ts'
import { sayingTo } from './waiting-lines.ts'

/** Destroys messages inside of segments that go on, or tells which would be. */
export async function shredRange(context: ShredContext, range: MessageRange): Promise<ShredReport> {
  const { withImpactReader } = await import('../compose/impact.ts')
  return withImpactReader(context.config, (reader) =>
    context.isDone ? destroy(context, reader, range) : plan(context, reader, range),
  )
}

async function plan(
  context: ShredContext,
  reader: ImpactReader,
  range: MessageRange,
): Promise<ShredReport> {
  const counts = { segments: 0, messages: 0 }
  const unpublished: string[] = []
  for await (const { isPublished, objectKey, messages } of segmentsOfRange(reader, range)) {
    if (isPublished) {
      counts.segments++
      counts.messages += messages
    } else unpublished.push(objectKey)
  }
  return { ...reportOf(context, range, systemClock.nowMs(), counts), unpublished }
}

async function destroy(
  context: ShredContext,
  reader: ImpactReader,
  range: MessageRange,
): Promise<ShredReport> {
  const { config, actor, signal, terminal } = context
  const { withMessageShred } = await import('../compose/shred.ts')
  const startedAtMs = systemClock.nowMs()
  const use = {
    ...{ actor, threads: 0, bytesPerSecond: Number.POSITIVE_INFINITY, signal },
    ...{ kmsCallsPerSecond: Number.POSITIVE_INFINITY, liveFirst: null },
    observer: sayingTo(terminal),
  }
  return withMessageShred(config, use, async (services) => {
    const outcome = await shredMessages(services, reader, range, signal)
    const { remaining, unpublished } = outcome
    return { ...reportOf(context, range, startedAtMs, outcome), remaining, unpublished }
  })
}

function reportOf(
  { reason }: ShredContext,
  range: MessageRange,
  startedAtMs: number,
  { segments, messages }: { readonly segments: number; readonly messages: number },
): ShredReport {
  const { topic, partition, firstOffset, lastOffset } = range
  return {
    subject: `${topic}/${partition} offsets ${firstOffset} to ${lastOffset}`,
    ...{ reason, startedAtMs, endedAtMs: systemClock.nowMs(), segments, messages, bytes: null },
    ranges: [{ topic, partition, firstOffset, lastOffset, messages }],
    ...{ deks: [], movedTo: [], removed: null, remaining: [], unpublished: [] },
  }
}
