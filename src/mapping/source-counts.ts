import type { FrameColumns, SourceTotals } from './mapping-store.ts'

/** Counts what a segment holds of each source partition. */
export class SourceCounts {
  readonly #totals = new Map<string, SourceTotals>()

  /** Counts the frames of one page or part. */
  add(frames: FrameColumns): this {
    for (let i = 0; i < frames.count; i++) {
      const { topic, partition } = frames.sources[frames.source[i] as number] as SourceTotals
      const name = `${topic}/${partition}`
      const offset = frames.offset[i] as number
      const before = this.#totals.get(name)
      this.#totals.set(name, {
        ...{ topic, partition },
        firstOffset: Math.min(before?.firstOffset ?? offset, offset),
        lastOffset: Math.max(before?.lastOffset ?? offset, offset),
        messageCount: (before?.messageCount ?? 0) + 1,
        bytes: (before?.bytes ?? 0) + (frames.length[i] as number),
      })
    }
    return this
  }

  /** Of every partition that was met. */
  all(): readonly SourceTotals[] {
    return [...this.#totals.values()]
  }
}
