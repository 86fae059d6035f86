import type { FrameColumns, MappedMessage } from '../../src/mapping/mapping-store.ts'

/** Columns of the frames of these messages, in their order. */
export function columnsOf(messages: readonly MappedMessage[]): FrameColumns {
  const sources: { topic: string; partition: number }[] = []
  const source = messages.map(({ topic, partition }) => {
    const found = sources.findIndex((one) => one.topic === topic && one.partition === partition)
    return found >= 0 ? found : sources.push({ topic, partition }) - 1
  })
  return {
    count: messages.length,
    sources,
    source: Uint16Array.from(source),
    offset: Float64Array.from(messages, (message) => message.offset),
    position: Float64Array.from(messages, (message) => message.position),
    length: Uint32Array.from(messages, (message) => message.length),
  }
}
