import type { FrameColumns, MappedMessage, MappingReader, RowsKey } from './mapping-store.ts'

/** The messages of a segment one by one, for those who look at few. Errors: those of the port. */
export async function* messagesOf(
  reader: Pick<MappingReader, 'framesOfSegment'>,
  segment: RowsKey,
): AsyncGenerator<MappedMessage> {
  for await (const frames of reader.framesOfSegment(segment)) yield* messagesIn(frames)
}

/** The messages of one page. */
export function* messagesIn(frames: FrameColumns): Generator<MappedMessage> {
  for (let i = 0; i < frames.count; i++) {
    const { topic, partition } = frames.sources[frames.source[i] as number] as {
      readonly topic: string
      readonly partition: number
    }
    const offset = frames.offset[i] as number
    const position = frames.position[i] as number
    yield { topic, partition, offset, position, length: frames.length[i] as number }
  }
}
