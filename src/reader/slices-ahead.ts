/** References that are opened together. */
export interface Slice<T> {
  readonly values: readonly T[]
  /** What their messages take, about. */
  readonly bytes: number
}

/** Gives slices one after the other. */
export interface SliceSource<T> {
  /**
   * The next slice, or null at the end. `isUrgent` is false when something else is at hand: then
   * undefined may come, when nothing is there yet.
   */
  next(isUrgent: boolean): Promise<Slice<T> | null | undefined>
}

/** An opened slice, with what it was opened from. */
export interface OpenedSlice<T, R> extends Slice<T> {
  readonly opened: R
}

/**
 * Opens slices ahead of whoever takes them, in order: as many as fit into `bytesAheadMax`, and one at
 * least. Ends what is under way when it is left, through the signal that `open` gets.
 */
export async function* slicesAhead<T, R>(
  source: SliceSource<T>,
  open: (slice: Slice<T>, signal: AbortSignal) => Promise<R>,
  bytesAheadMax: number,
  signal?: AbortSignal,
): AsyncGenerator<OpenedSlice<T, R>, void, undefined> {
  // Tied to the signal by a listener that is taken off again: signals live long, and slices do not.
  const end = new AbortController()
  const giveUp = () => end.abort(signal?.reason)
  signal?.addEventListener('abort', giveUp, { once: true })
  const queue: { readonly slice: Slice<T>; readonly opened: Promise<R> }[] = []
  let bytes = 0
  let isOver = false
  const fill = async () => {
    while (!isOver && (queue.length === 0 || bytes < bytesAheadMax)) {
      const slice = await source.next(queue.length === 0)
      if (slice === undefined) return
      if (slice === null) {
        isOver = true
        return
      }
      const opened = open(slice, end.signal)
      // Its turn to be awaited comes later, or never.
      opened.catch(() => {})
      queue.push({ slice, opened })
      bytes += slice.bytes
    }
  }
  try {
    for (;;) {
      signal?.throwIfAborted()
      await fill()
      const first = queue.shift()
      if (first === undefined) return
      const opened = await first.opened
      bytes -= first.slice.bytes
      yield { ...first.slice, opened }
    }
  } finally {
    signal?.removeEventListener('abort', giveUp)
    end.abort(new Error('no longer wanted'))
  }
}
