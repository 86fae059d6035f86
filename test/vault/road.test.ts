import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import { dekUsage } from '../support/dek-usage.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { vaultPolicy } from '../support/vault-policies.ts'
import { VaultServer } from '../support/vault-server.ts'

const PARTITIONS = 2
const BATCH = 300
const place = new SealingPlace('vault')
const tokenFile = join(place.folder, 'token')
const messages: Message[] = []
let vault: VaultServer
let kafka: KafkaFixture
let encryptor: EncryptorProcess

beforeAll(async () => {
  vault = await VaultServer.start(inject('vaultBinary'))
  await vault.createKey('orders')
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
})

afterAll(async () => {
  await Promise.all([vault?.remove(), kafka?.close()])
  place.remove()
})

async function append(label: string): Promise<void> {
  const records = numberedRecords(BATCH, label)
  messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 20)))
}

async function done(): Promise<void> {
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
}

test('an encryptor seals under a KEK in Vault through a rotation and a sealed Vault, and all is read back', async () => {
  writeFileSync(tokenFile, await vault.tokenWith(vaultPolicy('seal', 'orders')))
  const reading = await vault.tokenWith(vaultPolicy('read', 'orders'))
  const kms = { provider: 'vault', address: vault.address, allowedKeyIds: ['orders'] } as const
  place.kms = { ...kms, tokenFile }
  // A window holds less than one batch, and does not stretch while there is no next key.
  const windows = { 'window.messagesMax': BATCH / 3, 'window.outageFactor': 1 }
  encryptor = new EncryptorProcess(place.config(windows))
  await encryptor.ready()
  await append('before')
  await done()

  await vault.admin('POST', 'transit/keys/orders/rotate')
  await append('rotated')
  await done()

  await vault.seal()
  await append('sealed')
  await encryptor.until('waiting', async () => {
    const readiness = await encryptor.readiness()
    return readiness?.httpStatus === 503 && /sealed/.test(readiness.reasons.join(' '))
  })
  await vault.unseal()
  await done()
  expect((await encryptor.stop()).code).toBe(0)

  place.kms = { ...kms, token: reading }
  await expectSealedOnce(kafka, place, place.topic, messages)
  const read = await runCommand(['read', '--config', place.config(), place.topic, '--values'])
  expect(read).toMatchObject({ code: 0, stderr: '' })
  expect(read.stdout.trimEnd().split('\n')).toHaveLength(3 * BATCH)

  const deks = await dekUsage(place, 'transit/orders')
  expect(new Set(deks.map(({ kekVersion }) => kekVersion))).toEqual(new Set(['1', '2']))
  expect(deks.reduce((sum, dek) => sum + dek.messages, 0)).toBe(3 * BATCH)
})

test('a reader without the right to unwrap gives no message and one line that names the right', async () => {
  const sealing = await vault.tokenWith(vaultPolicy('seal', 'orders'))
  place.kms = { ...place.kms, provider: 'vault', address: vault.address, token: sealing }
  const read = await runCommand(['read', '--config', place.config(), place.topic, '-n', '1'])
  expect(read).toMatchObject({ code: 1, stdout: '' })
  expect(read.stderr).toMatch(
    /^sealstream: .*update transit\/decrypt\/orders \[SEAL_KMS_DENIED\]\n$/,
  )
  expect(read.stderr).not.toContain(sealing)
})

test('an encryptor whose KEK does not derive ends with one line that says how to make another', async () => {
  await vault.createKey('plain', {})
  const token = await vault.tokenWith(vaultPolicy('seal', 'plain'))
  const own = { provider: 'vault', address: vault.address, token } as const
  place.kms = { ...own, allowedKeyIds: ['plain'] }
  const ended = await runCommand(['run', '--config', place.config()])
  expect(ended.code).toBe(1)
  expect(ended.stderr).toContain('transit/plain is not derived')
  expect(ended.stderr).toContain('vault write transit/keys/NAME derived=true')
})
