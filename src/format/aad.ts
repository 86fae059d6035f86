import { FRAME_HEADER_BYTES } from './frame.ts'
import { ID_BYTES, idToBytes } from './ids.ts'

const LABEL = Buffer.from('sealstream/v1/frame\0', 'latin1')
const FRAME_HEADER_AT = LABEL.length + ID_BYTES

/** Where frames of one source stand: what the AAD binds besides the frame header itself. */
export interface FrameContext {
  readonly segmentId: string
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
}

/**
 * Associated data of frames: `label | segment id | frame header | partition i32 | cluster id |
 * topic`, both texts as `length u16 | UTF-8` (docs/format.md, "Nonce and AAD"). One object serves
 * all frames of one source; `of` overwrites and returns the same buffer, valid until the next call.
 */
export class FrameAad {
  readonly #bytes: Buffer

  constructor(context: FrameContext) {
    const partition = Buffer.alloc(4)
    partition.writeInt32BE(context.partition)
    this.#bytes = Buffer.concat([
      LABEL,
      idToBytes(context.segmentId),
      Buffer.alloc(FRAME_HEADER_BYTES),
      partition,
      lengthPrefixed(context.clusterId),
      lengthPrefixed(context.topic),
    ])
  }

  /** The AAD of the frame whose header starts at `frameAt` in `part`. */
  of(part: Buffer, frameAt: number): Buffer {
    part.copy(this.#bytes, FRAME_HEADER_AT, frameAt, frameAt + FRAME_HEADER_BYTES)
    return this.#bytes
  }
}

function lengthPrefixed(text: string): Buffer {
  const utf8 = Buffer.from(text, 'utf8')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(utf8.length)
  return Buffer.concat([length, utf8])
}
