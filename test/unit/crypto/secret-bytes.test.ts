import { once } from 'node:events'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { hkdfSha512 } from '../../../src/crypto/hkdf.ts'
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts'

const TEXT = 'a very secret data key, 32 bytes'
const secretOf = (text = TEXT) => SecretBytes.takeFrom(Buffer.from(text))
const textOf = (secret: SecretBytes) => secret.reveal((bytes) => Buffer.from(bytes).toString())

describe('secret bytes', () => {
  it('take the source over: what is left of it are zeros', () => {
    const source = Buffer.from(TEXT)
    const secret = SecretBytes.takeFrom(source)
    expect(source.equals(Buffer.alloc(32))).toBe(true)
    expect(textOf(secret)).toBe(TEXT)
    expect(secret.length).toBe(32)
  })

  it('are zeros when they are disposed, and throw when they are used afterwards', () => {
    const secret = secretOf()
    const memory = Buffer.from(secret.share())
    expect(memory.includes(TEXT)).toBe(true)
    secret[Symbol.dispose]()
    secret[Symbol.dispose]()
    expect(secret.isWiped).toBe(true)
    expect(memory.every((byte) => byte === 0)).toBe(true)
    expect(() => textOf(secret)).toThrow('after they were wiped')
  })

  it('give no result that was made of bytes that were wiped underneath', () => {
    const secret = secretOf()
    const reveal = () =>
      secret.reveal(() => {
        secret[Symbol.dispose]()
        return 'a result'
      })
    expect(reveal).toThrow('after they were wiped')
  })

  it('show nothing in any form in which they can be printed', () => {
    const secret = secretOf()
    const options = { showHidden: true, depth: 9, getters: true }
    const forms = [
      ...[inspect(secret), inspect({ secret }, options), String(secret), `${secret}`],
      ...[JSON.stringify({ secret }), inspect(secret, { ...options, customInspect: false })],
      inspect(Object.getOwnPropertyDescriptors(secret), options),
    ]
    for (const form of forms) {
      expect(form).not.toContain(TEXT.slice(0, 8))
      expect(form).not.toContain(Buffer.from(TEXT).toString('hex').slice(0, 8))
      expect(form).not.toContain(Buffer.from(TEXT).subarray(0, 4).join(','))
      expect(form.replaceAll(' ', '')).not.toContain('61207665')
    }
    expect(JSON.stringify({ secret })).toBe('{}')
    expect(() => structuredClone(secret)).not.toThrow()
    expect(inspect(structuredClone(secret))).toBe('{}')
  })

  it('are one memory for all threads: the wipe of the owner reaches the borrower', async () => {
    const secret = secretOf()
    const file = new URL('../../../src/crypto/secret-bytes.ts', import.meta.url).href
    const script = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(${JSON.stringify(file)}).then(({ SecretBytes }) => {
        const borrowed = SecretBytes.borrow(workerData)
        const seen = () => borrowed.reveal((bytes) => Buffer.from(bytes).toString())
        parentPort.postMessage(seen())
        parentPort.once('message', () => {
          try { parentPort.postMessage(seen()) } catch (error) { parentPort.postMessage(error.message) }
        })
      })`
    const worker = new Worker(script, { eval: true, workerData: secret.share() })
    expect(await once(worker, 'message')).toEqual([TEXT])
    secret[Symbol.dispose]()
    worker.postMessage('wiped')
    expect(await once(worker, 'message')).toEqual(['key bytes are used after they were wiped'])
    await worker.terminate()
  })

  it('are not borrowed from anything else', () => {
    for (const odd of [undefined, null, new ArrayBuffer(36), Buffer.alloc(36)]) {
      expect(() => SecretBytes.borrow(odd as never)).toThrow('something else')
    }
    expect(() => SecretBytes.borrow(new SharedArrayBuffer(4))).toThrow('something else')
  })
})

describe('HKDF-SHA512', () => {
  it('leaves its input alone and refuses more than 255 blocks', () => {
    const ikm = Buffer.from(TEXT)
    expect(hkdfSha512(ikm, Buffer.alloc(32), Buffer.from('info'), 108)).toHaveLength(108)
    expect(ikm.toString()).toBe(TEXT)
    expect(() => hkdfSha512(ikm, Buffer.alloc(32), Buffer.alloc(0), 255 * 64 + 1)).toThrow('hkdf')
  })
})
