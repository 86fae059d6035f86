import type { SegmentEntry } from '../mapping/mapping-store.ts'
import type { SegmentTotals } from '../mapping/rotation-log.ts'

/** How far the data of one DEK, or of many, has come under others. */
export interface DekProgress {
  readonly due: SegmentTotals
  readonly done: SegmentTotals
  /** Begun or sealed and never published; a sweep sees to them. */
  readonly unpublished: number
  /** Re-encrypted, with a version under the old DEK that the store keeps. */
  readonly retained: number
}

/** Nothing at all. */
export const NO_SEGMENTS: SegmentTotals = { segments: 0, messages: 0, bytes: 0 }

/** Whether the store may let go of the version that it kept under the old DEK. */
export function isExpired({ replaced }: SegmentEntry, nowMs: number): boolean {
  return replaced !== null && replaced.retainedUntilMs !== null && replaced.retainedUntilMs < nowMs
}

/** Whether a re-encryption has work with the segment. */
export function isItem(segment: SegmentEntry, nowMs: number): boolean {
  return segment.state === 'published' || isExpired(segment, nowMs)
}

/** Counts segments of DEKs as they come. */
export class ProgressCount {
  #due = NO_SEGMENTS
  #done = NO_SEGMENTS
  #unpublished = 0
  #retained = 0

  /** What was counted so far. */
  get progress(): DekProgress {
    const [due, done] = [this.#due, this.#done]
    return { due, done, unpublished: this.#unpublished, retained: this.#retained }
  }

  /** Whether nothing is under these DEKs any more. */
  get isDone(): boolean {
    return this.#due.segments + this.#unpublished + this.#retained === 0
  }

  add(segment: SegmentEntry): void {
    const { messageCount, bytes } = segment
    const one = { segments: 1, messages: messageCount ?? 0, bytes: bytes ?? 0 }
    if (segment.state === 'published') this.#due = sumOf(this.#due, one)
    else if (segment.state === 'replaced') {
      this.#done = sumOf(this.#done, one)
      if (segment.replaced?.retainedUntilMs !== null) this.#retained++
    } else if (segment.state !== 'swept') this.#unpublished++
  }
}

/** Both together. */
export function sumOf(a: SegmentTotals, b: SegmentTotals): SegmentTotals {
  return {
    segments: a.segments + b.segments,
    messages: a.messages + b.messages,
    bytes: a.bytes + b.bytes,
  }
}
