import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import koffi from 'koffi'
import { beforeAll, describe, expect, it } from 'vitest'
import { GcmContext } from '../../../src/crypto/gcm-context.ts'
import {
  importKoffi,
  loadOpenssl,
  type OpensslLibrary,
} from '../../../src/crypto/openssl-library.ts'
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts'

const ODD_ARGUMENTS = fileURLToPath(new URL('./odd-arguments.ts', import.meta.url))
const nonce = randomBytes(12)
const aad = randomBytes(90)
let openssl: OpensslLibrary

beforeAll(async () => {
  openssl = await loadOpenssl(importKoffi)
})

/** The library with single functions replaced. */
function withFault(fault: Partial<OpensslLibrary>): OpensslLibrary {
  return { ...openssl, ...fault }
}

describe('a native context', () => {
  it('throws at hostile arguments of every kind, and never takes the process down', async () => {
    // In a process of its own, since a fault would end it without a word.
    const { stdout } = await promisify(execFile)(process.execPath, [ODD_ARGUMENTS])
    const { calls, threw, works } = JSON.parse(stdout)
    expect(works).toBe(true)
    expect(calls).toBeGreaterThan(20_000)
    expect(threw).toBeGreaterThan(calls / 2)
    expect(threw).toBeLessThan(calls)
  })

  it('refuses a key of another length, and one that is wiped', () => {
    const long = SecretBytes.takeFrom(randomBytes(33))
    expect(() => new GcmContext(openssl, long, 'seal')).toThrow('wrong length')
    const wiped = SecretBytes.takeFrom(randomBytes(32))
    wiped[Symbol.dispose]()
    expect(() => new GcmContext(openssl, wiped, 'seal')).toThrow('after they were wiped')
  })

  it('frees the context when its key is wiped while it is taken', () => {
    const key = SecretBytes.takeFrom(randomBytes(32))
    let freed = 0
    const wiping = withFault({
      aes256Gcm: () => {
        key[Symbol.dispose]()
        return openssl.aes256Gcm()
      },
      contextFree: (context) => {
        freed++
        openssl.contextFree(context)
      },
    })
    expect(() => new GcmContext(wiping, key, 'seal')).toThrow('after they were wiped')
    expect(freed).toBe(1)
  })

  it('frees what it holds once, also when its key is not taken', () => {
    let made = 0
    let freed = 0
    const counting = withFault({
      contextNew: () => {
        made++
        return openssl.contextNew()
      },
      contextFree: (context) => {
        freed++
        openssl.contextFree(context)
      },
    })
    const key = SecretBytes.takeFrom(randomBytes(32))
    const context = new GcmContext(counting, key, 'seal')
    context[Symbol.dispose]()
    context[Symbol.dispose]()
    expect([made, freed]).toEqual([1, 1])
    expect(() => new GcmContext({ ...counting, init: () => 0 }, key, 'seal')).toThrow('refused')
    expect([made, freed]).toEqual([2, 2])
    expect(() => new GcmContext({ ...counting, contextNew: () => null }, key, 'seal')).toThrow()
    expect([made, freed]).toEqual([2, 2])
  })

  it('works in the one direction that it was keyed for', () => {
    const key = SecretBytes.takeFrom(randomBytes(32))
    using sealing = new GcmContext(openssl, key, 'seal')
    using opening = new GcmContext(openssl, key, 'open')
    const [body, tag] = [Buffer.alloc(10), Buffer.alloc(16)]
    expect(() => opening.seal(nonce, aad, body, tag)).toThrow('cannot seal')
    expect(() => sealing.open(nonce, aad, body, tag, Buffer.alloc(10))).toThrow('cannot open')
  })

  it('leaves zeros and an empty queue of errors behind a frame that does not authenticate', () => {
    const peekError = koffi.load(null).func('unsigned long ERR_peek_error(void)')
    using context = new GcmContext(openssl, SecretBytes.takeFrom(randomBytes(32)), 'open')
    const parcel = Buffer.alloc(1000, 1)
    const [body, tag] = [randomBytes(1000), randomBytes(16)]
    // From here on nothing of node:crypto runs, which would empty the queue by itself.
    const unkeyed = openssl.contextNew()
    openssl.init(unkeyed, null, null, nonce, 1, null)
    openssl.contextFree(unkeyed)
    expect(peekError()).not.toBe(0)
    expect(context.open(nonce, aad, body, tag, parcel)).toBe(false)
    expect(peekError()).toBe(0)
    expect(parcel.equals(Buffer.alloc(1000))).toBe(true)
  })
})

describe('a native call that fails', () => {
  const key = SecretBytes.takeFrom(randomBytes(32))
  const faults: [string, (real: OpensslLibrary) => Partial<OpensslLibrary>][] = [
    ['update', () => ({ update: () => 0 })],
    [
      'update that writes less',
      (real) => ({
        update: (context, out, written, input, length) => {
          const done = real.update(context, out, written, input, length)
          written[0] = length - 1
          return done
        },
      }),
    ],
    ['control', () => ({ control: () => 0 })],
  ]

  it.each([...faults, ['final', () => ({ final: () => 0 })] as const])(
    'makes sealing throw: %s',
    (_, fault) => {
      using context = new GcmContext(withFault(fault(openssl)), key, 'seal')
      const seal = () => context.seal(nonce, aad, Buffer.alloc(100), Buffer.alloc(16))
      expect(seal).toThrow(expect.objectContaining({ code: 'SEAL_CIPHER_UNAVAILABLE' }))
    },
  )

  it.each(faults)('makes opening throw, and wipes what came out: %s', (_, fault) => {
    using context = new GcmContext(withFault(fault(openssl)), key, 'open')
    const parcel = Buffer.alloc(100, 1)
    const open = () => context.open(nonce, aad, randomBytes(100), Buffer.alloc(16), parcel)
    expect(open).toThrow(expect.objectContaining({ code: 'SEAL_CIPHER_UNAVAILABLE' }))
    expect(parcel.equals(Buffer.alloc(100))).toBe(true)
  })
})
