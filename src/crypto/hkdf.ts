import { createHmac } from 'node:crypto'
import { SealError } from '../errors.ts'

const HASH_BYTES = 64

/**
 * HKDF-SHA512 (RFC 5869): `okmBytes` of output, in memory of their own that the caller wipes. Built
 * on HMAC, because node:crypto's own hkdf keeps the input key in a KeyObject until the garbage
 * collector comes by; here every intermediate is zeroed before it returns. Throws SEAL_MALFORMED for
 * more than 255 blocks of output.
 */
export function hkdfSha512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  okmBytes: number,
): Uint8Array {
  if (okmBytes > 255 * HASH_BYTES) throw new SealError('SEAL_MALFORMED', 'hkdf: too much output')
  const okm = new Uint8Array(new ArrayBuffer(okmBytes))
  const prk = createHmac('sha512', salt).update(ikm).digest()
  let block = Buffer.alloc(0)
  for (let i = 1, at = 0; at < okmBytes; i++, at += HASH_BYTES) {
    const hmac = createHmac('sha512', prk).update(block).update(info)
    block.fill(0)
    block = hmac.update(Uint8Array.of(i)).digest()
    okm.set(block.subarray(0, okmBytes - at), at)
  }
  block.fill(0)
  prk.fill(0)
  return okm
}
