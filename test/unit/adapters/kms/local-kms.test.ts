import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { changeKeyFile } from '../../../../src/adapters/kms/local-key-writer.ts'
import { LocalKms } from '../../../../src/adapters/kms/local-kms.ts'
import { kmsContract } from '../../../contracts/kms.contract.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealstream-local-kms-'))
let files = 0
const newPath = () => join(folder, `${++files}.json`)
const make = (path: string, name: string, rotate = false) =>
  changeKeyFile({ path, name, rotate, nowMs: 1_767_000_000_000 })

afterAll(() => rmSync(folder, { recursive: true }))

kmsContract('the local key file', async () => {
  const keyFile = newPath()
  await make(keyFile, 'orders')
  await make(keyFile, 'payments')
  return {
    kms: new LocalKms({ keyFile }),
    kekId: 'orders',
    otherKekId: 'payments',
    fullName: /^local\/(orders|payments)$/,
    unknownKekId: 'nobody',
    rotate: async () => void (await make(keyFile, 'orders', true)),
    tellsVersion: true,
    disable: null,
    denied: null,
    away: async () => new LocalKms({ keyFile: newPath() }),
  }
})

describe('a local key file', () => {
  const CONTEXT = { dek: 'd' }
  let path: string
  let kms: LocalKms

  beforeEach(async () => {
    path = newPath()
    await make(path, 'orders')
    kms = new LocalKms({ keyFile: path })
  })

  const failure = async () => kms.generateDataKey('orders', CONTEXT).catch((error) => error)

  it('is made for its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toContain('whoever has this file has every key')
  })

  it.each([0o604, 0o640, 0o660, 0o666, 0o601])(
    'is refused with mode %o, with the line that mends it',
    async (mode) => {
      chmodSync(path, mode)
      const { code, message } = await failure()
      expect(code).toBe('SEAL_KMS_REFUSED')
      expect(message).toContain(`(mode 0${mode.toString(8)}); run: chmod 600 ${path}`)
      chmodSync(path, 0o600)
      expect((await failure()).kekVersion).toBe('1')
    },
  )

  it('is refused with an open mode also when it was read before', async () => {
    expect((await failure()).kekVersion).toBe('1')
    chmodSync(path, 0o644)
    expect((await failure()).code).toBe('SEAL_KMS_REFUSED')
  })

  it('takes mode 0400', async () => {
    chmodSync(path, 0o400)
    expect((await failure()).kekVersion).toBe('1')
  })

  it('is refused wherever it is cut off, and no message quotes a key', async () => {
    const text = readFileSync(path, 'utf8')
    const { key } = JSON.parse(text).keys.orders[0]
    // The last newline is no loss.
    for (let length = 0; length < text.length - 1; length++) {
      writeFileSync(path, text.slice(0, length))
      const { code, message } = await failure()
      expect([length, code]).toEqual([length, 'SEAL_KMS_REFUSED'])
      expect(message).not.toContain(key.slice(0, 8))
    }
    writeFileSync(path, text)
    expect((await failure()).kekVersion).toBe('1')
  })

  it.each<[string, (tree: { v: unknown; keys: Record<string, unknown[]> }, entry: object) => void]>(
    [
      [
        'another format',
        (tree) => {
          tree.v = 2
        },
      ],
      [
        'no keys',
        (tree) => {
          tree.keys = {}
        },
      ],
      [
        'a key without versions',
        (tree) => {
          tree.keys.orders = []
        },
      ],
      ['a short key', (_, entry) => Object.assign(entry, { key: 'c2hvcnQ=' })],
      ['no version', (_, entry) => Object.assign(entry, { version: 0 })],
      [
        'a version twice',
        (tree, entry) => {
          tree.keys.orders = [entry, entry]
        },
      ],
      [
        'versions in disorder',
        (tree, entry) => {
          tree.keys.orders = [{ ...entry, version: 2 }, entry]
        },
      ],
      [
        'a name with a slash',
        (tree, entry) => {
          tree.keys['a/b'] = [entry]
        },
      ],
    ],
  )('is refused with %s', async (_what, spoil) => {
    const tree = JSON.parse(readFileSync(path, 'utf8'))
    spoil(tree, tree.keys.orders[0])
    writeFileSync(path, JSON.stringify(tree))
    expect((await failure()).code).toBe('SEAL_KMS_REFUSED')
  })

  it('serves nothing more once it is taken away, and serves again when it is back', async () => {
    const made = await kms.generateDataKey('orders', CONTEXT)
    renameSync(path, `${path}.away`)
    expect(await failure()).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
    renameSync(`${path}.away`, path)
    expect(await kms.unwrap('orders', made.wrapped, CONTEXT)).toEqual(made.plaintext)
  })

  it('rotates while it is in use, and every earlier wrap still opens', async () => {
    const made = []
    for (let turn = 1; turn <= 5; turn++) {
      const one = await kms.generateDataKey('orders', CONTEXT)
      expect(one.kekVersion).toBe(String(turn))
      made.push(one)
      await make(path, 'orders', true)
    }
    for (const { wrapped, plaintext } of made) {
      expect(await kms.unwrap('local/orders', wrapped, CONTEXT)).toEqual(plaintext)
    }
  })

  it('says which version is gone when one was deleted', async () => {
    const { wrapped } = await kms.generateDataKey('orders', CONTEXT)
    await make(path, 'orders', true)
    const tree = JSON.parse(readFileSync(path, 'utf8'))
    tree.keys.orders.shift()
    writeFileSync(path, JSON.stringify(tree))
    await expect(kms.unwrap('orders', wrapped, CONTEXT)).rejects.toMatchObject({
      code: 'SEAL_KEK_DESTROYED',
      message: expect.stringContaining('no version 1 of the key orders'),
    })
  })
})

describe('writing a local key file', () => {
  it('leaves a key alone that is there, and adds others beside it', async () => {
    const path = newPath()
    expect(await make(path, 'orders')).toEqual({ version: 1, isNew: true })
    const before = readFileSync(path, 'utf8')
    expect(await make(path, 'orders')).toEqual({ version: 1, isNew: false })
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(await make(path, 'payments')).toEqual({ version: 1, isNew: true })
    expect(await make(path, 'orders', true)).toEqual({ version: 2, isNew: true })
    const { orders } = JSON.parse(before).keys
    expect(JSON.parse(readFileSync(path, 'utf8')).keys.orders[0]).toEqual(orders[0])
  })

  it('loses no version when many write at once: all but one are told to wait', async () => {
    const path = newPath()
    await make(path, 'orders')
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => make(path, 'orders', true)),
    )
    const done = results.filter(({ status }) => status === 'fulfilled').length
    expect(JSON.parse(readFileSync(path, 'utf8')).keys.orders).toHaveLength(1 + done)
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason] : [],
    )
    for (const { code } of refused) expect(code).toBe('SEAL_OUTPUT_FAILED')
    expect(await make(path, 'orders', true)).toEqual({ version: 2 + done, isNew: true })
  })

  it.each([
    ['a rotation of nothing', 'orders', true, 'SEAL_KEY_UNKNOWN'],
    ['a name with a slash', 'a/b', false, 'SEAL_INPUT_INVALID'],
  ])('refuses %s and leaves nothing behind', async (_what, name, rotate, code) => {
    const path = newPath()
    await expect(make(path, name, rotate)).rejects.toMatchObject({ code })
    await expect(make(path, 'orders')).resolves.toMatchObject({ isNew: true })
  })

  it('refuses to write over a file that is none of its own', async () => {
    const path = newPath()
    writeFileSync(path, 'precious', { mode: 0o600 })
    await expect(make(path, 'orders')).rejects.toMatchObject({ code: 'SEAL_KMS_REFUSED' })
    expect(readFileSync(path, 'utf8')).toBe('precious')
  })
})
