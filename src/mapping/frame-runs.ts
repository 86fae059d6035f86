import type { FrameColumns } from './mapping-store.ts'

/**
 * Most messages of one run. Two bytes a message are the rule and 21 the worst, so that a run is some
 * 8 KiB and never above 86: cheap to write, to read by the page, and to throw away when it repeats.
 */
export const RUN_MESSAGES_MAX = 4096

/**
 * Frames of one source as parallel columns, at least one: offsets rise, and no frame begins before
 * the one before it has ended. Other frames may lie between them.
 */
export interface FrameRun {
  readonly topic: string
  readonly partition: number
  readonly offset: Float64Array
  readonly position: Float64Array
  readonly length: Uint32Array
}

/**
 * Cuts frames into runs, the sources in their order and each source's frames in theirs. A run goes on
 * for as long as it can, so that the same frames always give the same runs.
 */
export function* runsOf(frames: FrameColumns): Generator<FrameRun> {
  const order = bySource(frames)
  let first = 0
  for (let next = 1; next <= frames.count; next++) {
    if (next < frames.count && next - first < RUN_MESSAGES_MAX && goesOn(frames, order, next)) {
      continue
    }
    yield gather(frames, order.subarray(first, next))
    first = next
  }
}

/** A run as a page of frames; both share the columns. */
export function runColumns({ topic, partition, ...columns }: FrameRun): FrameColumns {
  const count = columns.offset.length
  return { count, sources: [{ topic, partition }], source: new Uint16Array(count), ...columns }
}

/**
 * Brings runs from two places together, each message once, by topic, partition and rising offset.
 * Both come in that order of their first offsets, but may overlap, in one place too: whoever writes
 * the frames of a segment again may cut them otherwise. Holds about one run of each at a time.
 */
export async function* mergedRuns(
  one: AsyncIterable<FrameRun>,
  other: AsyncIterable<FrameRun>,
): AsyncGenerator<FrameRun> {
  let held: FrameRun | null = null
  for await (const run of inOrder(one, other)) {
    if (held === null || !overlap(held, run)) {
      if (held !== null) yield held
      held = run
      continue
    }
    // Whatever comes begins where this run does, or later.
    const settled = held.offset.findIndex((offset) => offset >= (run.offset[0] as number))
    if (settled > 0) yield slice(held, 0, settled)
    held = union(slice(held, settled), run)
  }
  if (held !== null) yield held
}

/** Frame numbers, those of one source together and otherwise as they were. */
function bySource({ count, sources, source }: FrameColumns): Uint32Array {
  const starts = new Uint32Array(sources.length + 1)
  for (let i = 0; i < count; i++) {
    const after = (source[i] as number) + 1
    starts[after] = (starts[after] as number) + 1
  }
  for (let s = 1; s < starts.length; s++) {
    starts[s] = (starts[s] as number) + (starts[s - 1] as number)
  }
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const s = source[i] as number
    const place = starts[s] as number
    order[place] = i
    starts[s] = place + 1
  }
  return order
}

function goesOn(
  { source, offset, position, length }: FrameColumns,
  order: Uint32Array,
  next: number,
): boolean {
  const [before, now] = [order[next - 1] as number, order[next] as number]
  return (
    source[now] === source[before] &&
    (offset[now] as number) > (offset[before] as number) &&
    (position[now] as number) >= (position[before] as number) + (length[before] as number)
  )
}

function gather({ sources, source, ...columns }: FrameColumns, numbers: Uint32Array): FrameRun {
  const { topic, partition } = sources[source[numbers[0] as number] as number] as {
    topic: string
    partition: number
  }
  const offset = new Float64Array(numbers.length)
  const position = new Float64Array(numbers.length)
  const length = new Uint32Array(numbers.length)
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number
    offset[i] = columns.offset[number] as number
    position[i] = columns.position[number] as number
    length[i] = columns.length[number] as number
  }
  return { topic, partition, offset, position, length }
}

async function* inOrder(
  one: AsyncIterable<FrameRun>,
  other: AsyncIterable<FrameRun>,
): AsyncGenerator<FrameRun> {
  const iterators = [one, other].map((runs) => runs[Symbol.asyncIterator]())
  const [left, right] = iterators as [AsyncIterator<FrameRun>, AsyncIterator<FrameRun>]
  let [a, b] = await Promise.all([left.next(), right.next()])
  while (!a.done || !b.done) {
    if (b.done || (!a.done && isBefore(a.value, b.value))) {
      yield a.value
      a = await left.next()
    } else {
      yield b.value
      b = await right.next()
    }
  }
}

/** Names of topics are ASCII, so that texts compare as their bytes do in the store. */
function isBefore(a: FrameRun, b: FrameRun): boolean {
  if (a.topic !== b.topic) return a.topic < b.topic
  if (a.partition !== b.partition) return a.partition < b.partition
  return (a.offset[0] as number) <= (b.offset[0] as number)
}

function overlap(held: FrameRun, run: FrameRun): boolean {
  const isSameSource = held.topic === run.topic && held.partition === run.partition
  return isSameSource && (run.offset[0] as number) <= (held.offset.at(-1) as number)
}

function slice(run: FrameRun, from: number, to?: number): FrameRun {
  return {
    ...run,
    offset: run.offset.subarray(from, to),
    position: run.position.subarray(from, to),
    length: run.length.subarray(from, to),
  }
}

/** Of two frames with one offset, the one of `a`. */
function union(a: FrameRun, b: FrameRun): FrameRun {
  const most = a.offset.length + b.offset.length
  const offset = new Float64Array(most)
  const position = new Float64Array(most)
  const length = new Uint32Array(most)
  let count = 0
  for (let i = 0, j = 0; i < a.offset.length || j < b.offset.length; count++) {
    const ofA = a.offset[i] ?? Number.POSITIVE_INFINITY
    const ofB = b.offset[j] ?? Number.POSITIVE_INFINITY
    const [from, at] = ofA <= ofB ? [a, i] : [b, j]
    offset[count] = from.offset[at] as number
    position[count] = from.position[at] as number
    length[count] = from.length[at] as number
    if (ofA <= ofB) i++
    if (ofB <= ofA) j++
  }
  return slice({ ...a, offset, position, length }, 0, count)
}
