import { createRequire } from 'node:module'
import type { FrameColumns } from '../../mapping/mapping-store.ts'

const PARSER = 'cassandra-driver/lib/streams.js'

/** {@link installColumnParser} knows results of this statement by their table and columns. */
export const SELECT_FRAMES =
  'SELECT topic, partition, offset, position, length FROM message_encryption_map WHERE dek_id = ? AND segment_id = ?'
const TABLE = 'message_encryption_map'
const COLUMNS = 'topic,partition,offset,position,length'

const INT_BYTES = 4
const LONG_BYTES = 8
const TWO_POW_32 = 2 ** 32
const NULL_LENGTH = -1

/** What the driver's parser has read of a result, and where it stands in it. */
interface ParsedFrame {
  readonly header: unknown
  readonly meta: {
    readonly table?: string
    readonly columns?: readonly { readonly name: string }[]
  }
  readonly flagsInfo: unknown
  readonly byRow?: boolean
}

interface FrameReader {
  readonly buf: Buffer
  offset: number
}

interface Parser {
  parseRows(this: Parser, frame: ParsedFrame, reader: FrameReader): void
  push(item: unknown): void
}

let isInstalled = false

/**
 * Exchanges how the driver makes rows of one result, that of {@link SELECT_FRAMES}: the whole page
 * becomes one "row", a {@link FrameColumns}. The driver makes an object a row, one more for each
 * bigint, and sends each through two streams: 2.0 us a row, against 0.35. All other results go the
 * driver's own way.
 */
export function installColumnParser(): void {
  if (isInstalled) return
  isInstalled = true
  const { Parser } = createRequire(import.meta.url)(PARSER) as {
    readonly Parser: { readonly prototype: Parser }
  }
  const byRow = Parser.prototype.parseRows
  Parser.prototype.parseRows = function (frame, reader) {
    if (!isOfFrames(frame)) return byRow.call(this, frame, reader)
    const columns = readColumns(reader)
    const { header, meta, flagsInfo: flags } = frame
    this.push({ header, result: { rows: [columns], meta, flags } })
  }
}

function isOfFrames({ byRow, meta }: ParsedFrame): boolean {
  if (byRow === true || meta.table !== TABLE) return false
  return meta.columns?.map(({ name }) => name).join() === COLUMNS
}

/** `count i32 | rows`, where a row is `topic | partition | offset | position | length`, each behind its length. */
function readColumns(reader: FrameReader): FrameColumns {
  const { buf } = reader
  const rows = buf.readInt32BE(reader.offset)
  const offset = new Float64Array(rows)
  const position = new Float64Array(rows)
  const length = new Uint32Array(rows)
  const source = new Uint16Array(rows)
  const sources: { topic: string; partition: number }[] = []
  let topic = buf.subarray(0, 0)
  let partition = -1
  let count = 0
  let at = reader.offset + INT_BYTES
  for (let row = 0; row < rows; row++) {
    const topicBytes = buf.readInt32BE(at)
    // A segment whose rows are still to come has one row of static columns alone.
    if (topicBytes === NULL_LENGTH) {
      at += 5 * INT_BYTES
      continue
    }
    const topicAt = at + INT_BYTES
    const partitionAt = topicAt + topicBytes + INT_BYTES
    const rowPartition = buf.readInt32BE(partitionAt)
    // Rows come sorted, so that those of a source stand together.
    const isSame = rowPartition === partition && isAt(buf, topicAt, topicBytes, topic)
    if (!isSame) {
      topic = buf.subarray(topicAt, topicAt + topicBytes)
      partition = rowPartition
      sources.push({ topic: topic.toString(), partition })
    }
    at = partitionAt + 2 * INT_BYTES
    offset[count] = readInt64(buf, at)
    at += LONG_BYTES + INT_BYTES
    position[count] = readInt64(buf, at)
    at += LONG_BYTES + INT_BYTES
    length[count] = buf.readUInt32BE(at)
    at += INT_BYTES
    source[count++] = sources.length - 1
  }
  reader.offset = at
  return { count, sources, source, offset, position, length }
}

function isAt(buf: Buffer, at: number, bytes: number, text: Buffer): boolean {
  return bytes === text.length && buf.compare(text, 0, bytes, at, at + bytes) === 0
}

/** Offsets and positions are safe integers (format/message.ts). */
function readInt64(buf: Buffer, at: number): number {
  return buf.readInt32BE(at) * TWO_POW_32 + buf.readUInt32BE(at + INT_BYTES)
}
