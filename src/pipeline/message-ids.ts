import { FRAME_HEADER_BYTES, TAG_BYTES } from '../format/frame.ts'
import { readParcel } from '../format/parcel.ts'
import type { FrameColumns, MessageIds } from '../mapping/mapping-store.ts'
import { MESSAGE_ID_HASH_BYTES, messageIdHash } from '../mapping/message-id.ts'

/**
 * The ids that producers gave the messages of a part: every value of the header `header` that is not
 * null, hashed. To be taken before the frames are sealed. `position` is that of the part in the object.
 */
export function messageIdsOf(
  part: Buffer,
  frames: FrameColumns,
  position: number,
  header: Uint8Array,
): MessageIds {
  const frame: number[] = []
  const hashes: Buffer[] = []
  for (let i = 0; i < frames.count; i++) {
    const at = (frames.position[i] as number) - position
    const parcel = part.subarray(
      at + FRAME_HEADER_BYTES,
      at + (frames.length[i] as number) - TAG_BYTES,
    )
    for (const [name, value] of readParcel(parcel).headers) {
      if (value === null || Buffer.compare(name, header) !== 0) continue
      frame.push(i)
      hashes.push(messageIdHash(value))
    }
  }
  const hash = new Uint8Array(hashes.length * MESSAGE_ID_HASH_BYTES)
  for (const [i, one] of hashes.entries()) hash.set(one, i * MESSAGE_ID_HASH_BYTES)
  return { frame: Uint32Array.from(frame), hash }
}
