import { SealError } from '../errors.ts'
import { hmac } from './hmac.ts'

const HASH_BYTES = 64

/**
 * HKDF-SHA512 (RFC 5869): `okmBytes` of output, in memory of their own that the caller wipes. Not
 * node:crypto's own, which keeps the input key in a KeyObject until the garbage collector comes by;
 * here every intermediate is zeroed before it returns. Throws SEAL_MALFORMED for more than 255 blocks
 * of output.
 */
export function hkdfSha512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  okmBytes: number,
): Uint8Array {
  if (okmBytes > 255 * HASH_BYTES) throw new SealError('SEAL_MALFORMED', 'hkdf: too much output')
  const okm = new Uint8Array(new ArrayBuffer(okmBytes))
  const prk = hmac('sha512', salt, ikm)
  let block: Uint8Array = new Uint8Array(0)
  for (let i = 1, at = 0; at < okmBytes; i++, at += HASH_BYTES) {
    const next = hmac('sha512', prk, block, info, Uint8Array.of(i))
    block.fill(0)
    block = next
    okm.set(block.subarray(0, okmBytes - at), at)
  }
  block.fill(0)
  prk.fill(0)
  return okm
}
