import { RecordRunWriter } from '../format/record-run.ts'
import { ReferenceListWriter } from '../format/reference-list.ts'
import { ReferenceEncoder } from '../format/reference-value.ts'
import type { FrameColumns } from '../mapping/mapping-store.ts'
import type { ReferenceRun, SegmentTask } from './part-task.ts'

/**
 * What a record of a reference topic speaks for: one message, or all messages of its partition that
 * came to lie in one part. Every reader takes both, so it may change from one run to the next.
 */
export type ReferencePer = 'message' | 'part'

/** Renders the references to the frames of a part, source by source. */
export function renderReferences(
  { sources, objectKey }: Pick<SegmentTask, 'sources' | 'objectKey'>,
  frames: FrameColumns,
  per: ReferencePer,
): ReferenceRun[] {
  const runs = sources.map(() => new RecordRunWriter())
  const writers = sources.map(({ topic, partition }, source) => {
    // Reference values are ASCII: one character is one byte.
    const onValue = (value: string) => runs[source]?.add(value)
    return placeWriter(per, { object: objectKey, topic, partition }, onValue)
  })
  for (let i = 0; i < frames.count; i++) {
    writers[frames.source[i] as number]?.add(
      frames.offset[i] as number,
      frames.position[i] as number,
      frames.length[i] as number,
    )
  }
  for (const writer of writers) writer.flush()
  return runs.flatMap((run, source) => run.take().map((taken) => ({ ...taken, source })))
}

function placeWriter(
  per: ReferencePer,
  at: { readonly object: string; readonly topic: string; readonly partition: number },
  onValue: (value: string) => void,
): Pick<ReferenceListWriter, 'add' | 'flush'> {
  if (per === 'part') return new ReferenceListWriter(at, onValue)
  const encoder = new ReferenceEncoder(at.object, at.topic, at.partition)
  return {
    add: (offset, position, length) => onValue(encoder.encode(offset, position, length)),
    flush: () => {},
  }
}
