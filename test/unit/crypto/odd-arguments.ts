import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { selectEngine } from '../../../src/crypto/cipher-engine.ts'
import type { FrameCipher } from '../../../src/crypto/frame-cipher.ts'
import { GcmContext } from '../../../src/crypto/gcm-context.ts'
import { importKoffi, loadOpenssl } from '../../../src/crypto/openssl-library.ts'
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts'

/**
 * Calls the native cipher with arguments that are wrong in every way that JavaScript allows, and
 * says on stdout how many calls threw. Run in a process of its own by gcm-context.test.ts.
 */
const RUNS = 6000
const openssl = await loadOpenssl(importKoffi)
const { engine } = await selectEngine('openssl')
const key = SecretBytes.takeFrom(randomBytes(32))
const keys = { frameKey: key, baseNonce: randomBytes(12) }
const counts = { calls: 0, threw: 0 }

function withLength(bytes: Buffer, length: unknown): Buffer {
  for (const name of ['length', 'byteLength', 'byteOffset']) {
    Object.defineProperty(bytes, name, { value: length })
  }
  return bytes
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(64)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

function shrunk(): Uint8Array {
  const buffer = new ArrayBuffer(4096, { maxByteLength: 4096 })
  const bytes = new Uint8Array(buffer, 2048, 1024)
  buffer.resize(16)
  return bytes
}

function withBuffer(buffer: unknown): Buffer {
  return Object.defineProperty(Buffer.alloc(200), 'buffer', { value: buffer })
}

/** Disposes `victim` while it is being looked at. */
function treacherous(victim: Disposable): unknown {
  const bytes = Buffer.alloc(200)
  const betray = (value: unknown) => () => {
    victim[Symbol.dispose]()
    return value
  }
  Object.defineProperty(bytes, 'buffer', { get: betray(bytes.buffer) })
  Object.defineProperty(bytes, 'byteLength', { get: betray(200) })
  Object.defineProperty(bytes, 'length', { get: betray(200) })
  return bytes
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable(Buffer.alloc(16), {})
  revoke()
  return proxy
}

const ODD_BYTES: ((victim: Disposable) => unknown)[] = [
  ...[0, 1, 12, 16, 36, 200, 5000].map((length) => () => Buffer.alloc(length)),
  ...[2 ** 30, 2 ** 40, -1, Number.NaN, '12', null, 16].map(
    (length) => () => withLength(Buffer.alloc(12), length),
  ),
  ...[new ArrayBuffer(1), { length: 10 }, null, new SharedArrayBuffer(64), 7].map(
    (buffer) => () => withBuffer(buffer),
  ),
  ...[undefined, null, 0, -1, 2 ** 53, 1n, 2n ** 63n, 'x'.repeat(12), {}, [], true].map(
    (value) => () => value,
  ),
  ...[detached, shrunk, revoked, treacherous],
  () => new Float64Array(2),
  () => new Uint32Array(3),
  () => new DataView(new ArrayBuffer(16)),
  () => new ArrayBuffer(16),
  () => new Uint8Array(new SharedArrayBuffer(200)),
  () => new Proxy(Buffer.alloc(16), {}),
  () => Object.create(Buffer.prototype),
  () => Object.setPrototypeOf(new Array(12).fill(1), Uint8Array.prototype),
  () => Array.from({ length: 16 }, () => 1),
  () => () => {},
  () => Symbol('bytes'),
]
const ODD_NUMBERS: unknown[] = [
  ...[0, 1, 35, 36, 64, 200, -1, -0, 1.5, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MAX_VALUE],
  ...['36', null, undefined, 36n, {}, [36], { valueOf: () => 36 }, true, Symbol('36')],
]
const bytes = fc.constantFrom(...ODD_BYTES)
const number = fc.constantFrom(...ODD_NUMBERS)
// Half of the arguments are right, or hardly a call would come past its first check.
const usually = <T>(right: T, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: odd })
const some = (length: number) =>
  usually<(victim: Disposable) => unknown>(() => Buffer.alloc(length), bytes)

function attempt(call: () => unknown): void {
  counts.calls++
  try {
    call()
  } catch (error) {
    counts.threw++
    if (!(error instanceof Error)) throw error
  }
}

fc.assert(
  fc.property(
    ...[some(200), usually<unknown>(36, number), usually<unknown>(100, number)],
    ...[usually<unknown>(1, number), some(90), fc.boolean()],
    (part, at, frameBytes, seq, aad, isDisposed) => {
      const cipher = engine.create(keys)
      if (isDisposed && Math.random() < 0.2) cipher[Symbol.dispose]()
      const args = [part(cipher), at, frameBytes, seq, aad(cipher)] as Parameters<
        FrameCipher['seal']
      >
      attempt(() => cipher.seal(...args))
      attempt(() => cipher.open(...args))
      cipher[Symbol.dispose]()
    },
  ),
  { numRuns: RUNS },
)

fc.assert(
  fc.property(some(12), some(90), some(100), some(16), some(100), (n, a, b, t, p) => {
    const sealing = new GcmContext(openssl, key, 'seal')
    const opening = new GcmContext(openssl, key, 'open')
    const args = (victim: GcmContext) =>
      [n(victim), a(victim), b(victim), t(victim), p(victim)] as Parameters<GcmContext['open']>
    attempt(() => {
      const [nonce, aad, body, tag] = args(sealing)
      sealing.seal(nonce, aad, body, tag)
    })
    attempt(() => opening.open(...args(opening)))
    sealing[Symbol.dispose]()
    opening[Symbol.dispose]()
  }),
  { numRuns: RUNS },
)

for (const odd of [...ODD_BYTES.map((make) => make({ [Symbol.dispose]: () => {} }))]) {
  attempt(() => {
    const revealing = { reveal: (use: (bytes: unknown) => void) => use(odd) }
    new GcmContext(openssl, revealing as unknown as typeof key, 'seal')[Symbol.dispose]()
  })
}

using cipher = engine.create(keys)
const frame = Buffer.alloc(136, 5)
cipher.seal(frame, 0, 136, 1, Buffer.alloc(9))
const works = cipher.open(frame, 0, 136, 1, Buffer.alloc(9)).equals(Buffer.alloc(100, 5))
process.stdout.write(JSON.stringify({ ...counts, works }))
