import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import type { VaultKmsOptions } from '../../src/adapters/kms/vault-client.ts'
import { VaultKms } from '../../src/adapters/kms/vault-kms.ts'
import type { KmsContext } from '../../src/keys/kms.ts'
import { canonicalContext } from '../../src/keys/kms-context.ts'
import { kmsContract } from '../contracts/kms.contract.ts'
import { vaultPolicy } from '../support/vault-policies.ts'
import { VaultServer } from '../support/vault-server.ts'

const CONTEXT: KmsContext = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
let vault: VaultServer
/** A token with the rights of all three policies on every key. */
let token: string

beforeAll(async () => {
  vault = await VaultServer.start(inject('vaultBinary'))
  token = await vault.tokenWith(vaultPolicy('seal', '+') + vaultPolicy('rewrap', '+'))
})
afterAll(() => vault?.remove())

const open = (over: Partial<VaultKmsOptions> = {}) =>
  new VaultKms({
    address: vault.address,
    mount: 'transit',
    token,
    requestTimeoutMs: 10_000,
    ...over,
  })

kmsContract('Vault Transit', async () => {
  await vault.createKey('orders')
  await vault.createKey('payments')
  return {
    kms: open(),
    kekId: 'orders',
    otherKekId: 'payments',
    fullName: /^transit\/[a-z]+$/,
    unknownKekId: 'nowhere',
    rotate: async () => void (await vault.admin('POST', 'transit/keys/orders/rotate')),
    tellsVersion: true,
    // Vault switches off versions alone, which is tried below.
    disable: null,
    denied: async () => open({ token: 'hvs.none' }),
    // Port 9 is discard: nothing listens there.
    away: async () => open({ address: 'http://127.0.0.1:9' }),
  }
})

describe('a real Vault', () => {
  let name: string
  let keys = 0
  let kms: VaultKms

  beforeEach(async () => {
    name = `key-${++keys}`
    await vault.createKey(name)
    kms = open()
  })

  const unavailable = { code: 'SEAL_KMS_UNAVAILABLE', retryable: true }
  const final = (code: string) => ({ code, retryable: false })
  const failureOf = (call: Promise<unknown>) =>
    call.then(
      () => expect.unreachable('the call succeeded'),
      (error: { code: string; retryable: boolean; message: string }) => error,
    )
  const configure = (settings: object) =>
    vault.admin('POST', `transit/keys/${name}/config`, settings)
  const keyNames = async () => {
    const { data } = await vault.admin('GET', 'transit/keys?list=true')
    return (data as { keys: string[] }).keys
  }

  it('is unavailable while it is sealed, and serves again once it is not', async () => {
    const made = await kms.generateDataKey(name, CONTEXT)
    await vault.seal()
    const failure = await failureOf(kms.generateDataKey(name, CONTEXT))
    expect(failure).toMatchObject(unavailable)
    expect(failure.message).toContain('sealed')
    await expect(kms.unwrap(name, made.wrapped, CONTEXT)).rejects.toMatchObject(unavailable)
    await vault.unseal()
    expect(await kms.unwrap(name, made.wrapped, CONTEXT)).toEqual(made.plaintext)
  })

  it('keeps its keys over a kill: away, then sealed, then as before', async () => {
    const made = await kms.generateDataKey(name, CONTEXT)
    await vault.kill()
    await expect(kms.unwrap(name, made.wrapped, CONTEXT)).rejects.toMatchObject(unavailable)
    await vault.launch()
    await expect(kms.unwrap(name, made.wrapped, CONTEXT)).rejects.toMatchObject(unavailable)
    await vault.unseal()
    expect(await kms.unwrap(name, made.wrapped, CONTEXT)).toEqual(made.plaintext)
  })

  it('holds versions back by min_decryption_version, and for good once they are trimmed', async () => {
    const made = await kms.generateDataKey(name, CONTEXT)
    await vault.admin('POST', `transit/keys/${name}/rotate`)
    await configure({ min_decryption_version: 2 })
    const disabled = final('SEAL_KEK_DISABLED')
    await expect(kms.unwrap(name, made.wrapped, CONTEXT)).rejects.toMatchObject(disabled)
    await expect(kms.rewrap(name, made.wrapped, name, CONTEXT)).rejects.toMatchObject(disabled)
    await configure({ min_decryption_version: 1 })
    expect(await kms.unwrap(name, made.wrapped, CONTEXT)).toEqual(made.plaintext)

    const rewrapped = await kms.rewrap(name, made.wrapped, name, CONTEXT)
    await configure({ min_decryption_version: 2, min_encryption_version: 2 })
    await vault.admin('POST', `transit/keys/${name}/trim`, { min_available_version: 2 })
    await expect(kms.unwrap(name, made.wrapped, CONTEXT)).rejects.toMatchObject(
      final('SEAL_KEK_DESTROYED'),
    )
    expect(rewrapped.kekVersion).toBe('2')
    expect(await kms.unwrap(name, rewrapped.wrapped, CONTEXT)).toEqual(made.plaintext)
  })

  it('tells a key that was deleted, and one that was restored without its newest version', async () => {
    await configure({ exportable: true, allow_plaintext_backup: true, deletion_allowed: true })
    const { data } = await vault.admin('GET', `transit/backup/${name}`)
    const before = await kms.generateDataKey(name, CONTEXT)
    await vault.admin('POST', `transit/keys/${name}/rotate`)
    const after = await kms.generateDataKey(name, CONTEXT)
    await vault.admin('DELETE', `transit/keys/${name}`)
    const destroyed = final('SEAL_KEK_DESTROYED')
    await expect(kms.unwrap(name, before.wrapped, CONTEXT)).rejects.toMatchObject(destroyed)
    await vault.admin('POST', 'transit/restore', data as object)
    expect(await kms.unwrap(name, before.wrapped, CONTEXT)).toEqual(before.plaintext)
    await expect(kms.unwrap(name, after.wrapped, CONTEXT)).rejects.toMatchObject(destroyed)
  })

  it('makes wraps that whoever has the rights opens without sealstream', async () => {
    const { wrapped, plaintext } = await kms.generateDataKey(name, CONTEXT)
    const { data } = await vault.admin('POST', `transit/decrypt/${name}`, {
      ciphertext: Buffer.from(wrapped).toString(),
      context: canonicalContext(CONTEXT).toString('base64'),
    })
    const expected = Buffer.from(plaintext).toString('base64')
    expect((data as { plaintext: string }).plaintext === expected).toBe(true)
  })

  it.each([
    [{}, 'is not derived'],
    [{ type: 'aes128-gcm96', derived: true }, 'is of type aes128-gcm96'],
    [{ type: 'rsa-2048' }, 'is not derived'],
  ])('refuses a key that was made with %j', async (settings, why) => {
    await vault.createKey(`${name}-plain`, settings)
    const failure = await failureOf(kms.generateDataKey(`${name}-plain`, CONTEXT))
    expect(failure).toMatchObject(final('SEAL_KMS_REFUSED'))
    expect(failure.message).toContain(why)
  })

  it('takes keys that derive under ChaCha20, and convergent ones', async () => {
    for (const settings of [{ type: 'chacha20-poly1305' }, { convergent_encryption: true }]) {
      const other = `${name}-${Object.keys(settings)}`
      await vault.createKey(other, { derived: true, ...settings })
      const made = await kms.generateDataKey(other, CONTEXT)
      expect(await kms.unwrap(made.kekId, made.wrapped, CONTEXT)).toEqual(made.plaintext)
      const rewrapped = await kms.rewrap(made.kekId, made.wrapped, name, CONTEXT)
      expect(await kms.unwrap(name, rewrapped.wrapped, CONTEXT)).toEqual(made.plaintext)
    }
  })

  it('lets policies part who seals, who reads and who rewraps', async () => {
    await vault.createKey(`${name}-to`)
    const withPolicy = async (what: 'seal' | 'read' | 'rewrap') =>
      open({ token: await vault.tokenWith(vaultPolicy(what, `${name}*`)) })
    const [sealer, reader] = [await withPolicy('seal'), await withPolicy('read')]
    const rewrapper = await withPolicy('rewrap')
    const { wrapped, plaintext } = await sealer.generateDataKey(name, CONTEXT)
    const denied = await failureOf(sealer.unwrap(name, wrapped, CONTEXT))
    expect(denied).toMatchObject(final('SEAL_KMS_DENIED'))
    expect(denied.message).toContain(`update transit/decrypt/${name}`)
    expect(await reader.unwrap(name, wrapped, CONTEXT)).toEqual(plaintext)
    for (const call of [
      () => reader.generateDataKey(name, CONTEXT),
      () => reader.rewrap(name, wrapped, name, CONTEXT),
      () => reader.rewrap(name, wrapped, `${name}-to`, CONTEXT),
      () => rewrapper.generateDataKey(name, CONTEXT),
    ]) {
      expect(await failureOf(call())).toMatchObject(final('SEAL_KMS_DENIED'))
    }
    expect((await rewrapper.rewrap(name, wrapped, name, CONTEXT)).kekId).toBe(`transit/${name}`)
    const moved = await rewrapper.rewrap(name, wrapped, `${name}-to`, CONTEXT)
    expect(await reader.unwrap(moved.kekId, moved.wrapped, CONTEXT)).toEqual(plaintext)
  })

  it('gets no key made by asking, not even from its root', async () => {
    const root = open({ token: vault.rootToken })
    const { wrapped } = await root.generateDataKey(name, CONTEXT)
    const before = await keyNames()
    const destroyed = final('SEAL_KEK_DESTROYED')
    await expect(root.generateDataKey('typo', CONTEXT)).rejects.toMatchObject(destroyed)
    await expect(root.rewrap(name, wrapped, 'typo', CONTEXT)).rejects.toMatchObject(destroyed)
    expect(await keyNames()).toEqual(before)
    const elsewhere = await failureOf(root.generateDataKey('none/typo', CONTEXT))
    expect(elsewhere).toMatchObject(destroyed)
    expect(elsewhere.message).toContain('no Transit engine is mounted at none')
  })

  it('goes on when an agent replaces the token in its file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealstream-vault-token-'))
    const tokenFile = join(folder, 'token')
    const policy = vaultPolicy('seal', name)
    const first = await vault.tokenWith(policy)
    writeFileSync(tokenFile, first)
    const agent = open({ tokenFile })
    await agent.generateDataKey(name, CONTEXT)
    await vault.admin('POST', 'auth/token/revoke', { token: first })
    await expect(agent.generateDataKey(name, CONTEXT)).rejects.toMatchObject(
      final('SEAL_KMS_DENIED'),
    )
    writeFileSync(tokenFile, `${await vault.tokenWith(policy)}\n`)
    await agent.generateDataKey(name, CONTEXT)
    rmSync(folder, { recursive: true })
  })
})
