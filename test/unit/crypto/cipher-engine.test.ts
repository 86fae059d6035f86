import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { LibraryHandle } from 'koffi'
import { describe, expect, it } from 'vitest'
import { nodeEngine, selectEngine } from '../../../src/crypto/cipher-engine.ts'
import { importKoffi, type KoffiLoader } from '../../../src/crypto/openssl-library.ts'
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const WATCH_KOFFI = `data:text/javascript,${encodeURIComponent(
  `import { registerHooks } from 'node:module'
   registerHooks({ resolve(name, context, next) {
     if (name === 'koffi') throw new Error('koffi is asked for')
     return next(name, context)
   } })`,
)}`

/** Node on this checkout, where koffi cannot be imported. */
function withoutKoffi(...args: string[]) {
  return promisify(execFile)(process.execPath, ['--import', WATCH_KOFFI, ...args], { cwd: ROOT })
}

type Native = (...args: unknown[]) => unknown

/** A koffi whose libcrypto has one function replaced. `fault` is given the real one. */
function withFault(name: string, fault: (real: Native) => unknown): KoffiLoader {
  return async () => {
    const real = await importKoffi()
    const load = (path: null) => {
      const library = real.load(path)
      const func = (definition: string) => {
        const found = library.func(definition)
        return definition.includes(`${name}(`) ? fault(found) : found
      }
      return { func } as unknown as LibraryHandle
    }
    return { load }
  }
}

const FAULTS: [string, KoffiLoader, RegExp][] = [
  ['cannot be loaded', () => Promise.reject(new Error('no such module')), /no such module/],
  [
    'lacks a function',
    withFault('EVP_CIPHER_CTX_ctrl', () => {
      throw new Error('Cannot find function')
    }),
    /Cannot find function/,
  ],
  [
    'is another OpenSSL than that of Node',
    withFault('OpenSSL_version', () => () => 'OpenSSL 1.1.1w  11 Sep 2023'),
    /found OpenSSL 1.1.1w .*, and Node is built with/,
  ],
  [
    'ignores the nonce',
    withFault('EVP_CipherInit_ex2', (real) => (...args: unknown[]) => {
      const [context, cipher, key, iv, direction] = args
      return real(context, cipher, key, iv === null ? null : Buffer.alloc(12), direction, null)
    }),
    /known answer/,
  ],
  [
    'leaves the associated data out',
    withFault('EVP_CipherUpdate', (real) => (...args: unknown[]) => {
      const [context, out, written, input, length] = args
      if (out !== null) return real(context, out, written, input, length)
      ;(written as Int32Array)[0] = length as number
      return 1
    }),
    /known answer/,
  ],
  [
    'opens whatever the tag is',
    withFault('EVP_CipherFinal_ex', (real) => (...args: unknown[]) => {
      real(...args)
      return 1
    }),
    /opens a frame with a wrong tag/,
  ],
  [
    'is wrong in long frames only',
    withFault('EVP_CipherUpdate', (real) => (...args: unknown[]) => {
      const done = real(...args)
      const out = args[1] as Uint8Array | null
      if (out !== null && out.length > 1000) out[1000] = (out[1000] as number) ^ 1
      return done
    }),
    /disagrees with node:crypto|does not authenticate/,
  ],
]

describe('selecting an engine', () => {
  it('takes OpenSSL here, as is asked for or by itself', async () => {
    expect(await selectEngine('auto')).toMatchObject({
      engine: { name: 'openssl' },
      reason: 'self-test passed',
    })
    expect(await selectEngine('openssl')).toMatchObject({ engine: { name: 'openssl' } })
  })

  it('takes node:crypto where it is asked for, and loads nothing', async () => {
    const load = () => Promise.reject(new Error('is not to be loaded'))
    expect(await selectEngine('node', load)).toEqual({ engine: nodeEngine, reason: 'asked for' })
  })

  it('passes the self-test through a loader that changes nothing', async () => {
    const load = withFault('EVP_CipherUpdate', (real) => real)
    expect(await selectEngine('auto', load)).toMatchObject({ engine: { name: 'openssl' } })
  })

  describe.each(FAULTS)('when the library %s', (_, load, reason) => {
    it('falls back to node:crypto and says why', async () => {
      const choice = await selectEngine('auto', load)
      expect(choice.engine).toBe(nodeEngine)
      expect(choice.reason).toMatch(/^openssl is not used: /)
      expect(choice.reason).toMatch(reason)
    })

    it('refuses when OpenSSL is asked for', async () => {
      const refused = { code: 'SEAL_CIPHER_UNAVAILABLE', message: expect.stringMatching(reason) }
      await expect(selectEngine('openssl', load)).rejects.toMatchObject(refused)
    })
  })
})

describe('the native module', () => {
  it('is not loaded by what does not seal', async () => {
    const check = ['src/cli/main.ts', 'config', 'check', '--config', 'examples/sealstream.yaml']
    await expect(withoutKoffi(...check)).resolves.toBeDefined()
  })

  it('is loaded when it is needed, and done without where there is none', async () => {
    const script = `const { selectEngine } = await import('./src/crypto/cipher-engine.ts')
      const { engine, reason } = await selectEngine('auto')
      console.log(engine.name + ': ' + reason)`
    const { stdout } = await withoutKoffi('--input-type=module', '--eval', script)
    expect(stdout.trim()).toBe('node: openssl is not used: koffi is asked for')
  })
})

describe('worker threads', () => {
  it('seal at the same time, and all to what node:crypto opens', async () => {
    const frameBytes = 1060
    const aad = randomBytes(90)
    const threads = Array.from({ length: 3 }, async () => {
      const [key, baseNonce, part] = [randomBytes(32), randomBytes(12), randomBytes(500 * 1060)]
      const worker = new Worker(new URL('./sealing-thread.ts', import.meta.url), {
        workerData: { key, baseNonce, part, frameBytes, aad },
      })
      const [[sealed]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      using cipher = nodeEngine.create({ frameKey: SecretBytes.takeFrom(key), baseNonce })
      for (let seq = 0; seq < 500; seq++) {
        const at = seq * frameBytes
        const parcel = cipher.open(Buffer.from(sealed), at, frameBytes, seq, aad)
        if (!parcel.equals(part.subarray(at + 20, at + frameBytes - 16))) return 'another parcel'
      }
      return 'opened'
    })
    expect(await Promise.all(threads)).toEqual(['opened', 'opened', 'opened'])
  })
})
