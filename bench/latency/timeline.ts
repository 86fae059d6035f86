import { LatencyHistogram } from '../stats/histogram.ts'

/** Some messages of a partition, `from` to before `to`, reached a stage at this moment. */
export interface Arrival {
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly atMs: number
}

/** When messages were meant to be sent: evenly, partition by turns, whatever became of the sender. */
export interface Schedule {
  readonly startMs: number
  readonly perSecond: number
  readonly partitions: number
}

/** When the message at this offset was meant to be sent. */
export function intendedMs(schedule: Schedule, partition: number, offset: number): number {
  const { startMs, perSecond, partitions } = schedule
  return startMs + ((offset * partitions + partition) * 1000) / perSecond
}

/** How many of the first `due` messages belong to a partition. */
export function dueOf(due: number, partition: number, partitions: number): number {
  return Math.max(0, Math.ceil((due - partition) / partitions))
}

/** From when a message was meant to be sent until it arrived at a stage, for all that did. */
export function sinceIntended(schedule: Schedule, arrivals: readonly Arrival[]): LatencyHistogram {
  const histogram = new LatencyHistogram()
  for (const { partition, from, to, atMs } of arrivals) {
    for (let offset = from; offset < to; offset++) {
      histogram.record(atMs - intendedMs(schedule, partition, offset))
    }
  }
  return histogram
}

/** From one stage to a later one, for all messages that came to both. */
export function between(earlier: readonly Arrival[], later: readonly Arrival[]): LatencyHistogram {
  const histogram = new LatencyHistogram()
  const byPartition = Map.groupBy(earlier, ({ partition }) => partition)
  for (const list of byPartition.values()) list.sort((a, b) => a.from - b.from)
  for (const { partition, from, to, atMs } of later) {
    for (const before of byPartition.get(partition) ?? []) {
      const count = Math.min(to, before.to) - Math.max(from, before.from)
      for (let i = 0; i < count; i++) histogram.record(atMs - before.atMs)
    }
  }
  return histogram
}

/**
 * Makes arrivals of what a stage tells as "all up to here": each takes what the one before it left.
 * Those that bring nothing new are left out.
 */
export function arrivalsUpTo(
  marks: readonly { readonly partition: number; readonly to: number; readonly atMs: number }[],
): Arrival[] {
  const reached = new Map<number, number>()
  return marks.flatMap(({ partition, to, atMs }) => {
    const from = reached.get(partition) ?? 0
    if (to <= from) return []
    reached.set(partition, to)
    return [{ partition, from, to, atMs }]
  })
}
