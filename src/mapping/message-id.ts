import { createHash } from 'node:crypto'

/** Bytes of {@link messageIdHash}: two of a hundred billion ids meet by chance once in 10^16 times. */
export const MESSAGE_ID_HASH_BYTES = 16

const PURPOSE = 'sealstream message id 1\0'

/** What stands for the id of a message in the mapping: the id itself is plaintext, and never stored. */
export function messageIdHash(id: Uint8Array): Buffer {
  const hash = createHash('sha256').update(PURPOSE).update(id).digest()
  return hash.subarray(0, MESSAGE_ID_HASH_BYTES)
}
