import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, describe, expect, it } from 'vitest'
import { identify } from '../../docker/stack/process-identity.ts'
import type { StackEndpoints, StackEvent } from '../../docker/stack/stack.ts'
import { resetStack, stackStatus, startStack, stopStack } from '../../docker/stack/stack.ts'

const directory = mkdtempSync(join(tmpdir(), 'sealstream-stack-'))
const CONTEXT = { EncryptionContext: { purpose: 'restart test' } }

afterAll(async () => {
  await resetStack(directory)
  rmSync(directory, { recursive: true })
}, 120_000)

async function start(): Promise<{ endpoints: StackEndpoints; steps: Record<string, string> }> {
  const events: StackEvent[] = []
  const report = (event: StackEvent) => events.push(event)
  const endpoints = await startStack({ directory, ports: 'free', report })
  return { endpoints, steps: Object.fromEntries(events.map(({ part, step }) => [part, step])) }
}

function kmsClient({ kms }: StackEndpoints): KMSClient {
  const { accessKeyId, secretAccessKey, endpoint, region } = kms
  return new KMSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } })
}

// One stack takes half a minute to start, so its whole life is one test.
describe('the service stack', () => {
  it('starts, stays, is repaired with the same KEK, and leaves no process when it stops', async () => {
    const first = await start()
    expect(first.steps).toEqual({ kafka: 'ready', cassandra: 'ready', s3: 'ready', kms: 'ready' })
    const published = JSON.parse(readFileSync(join(directory, 'endpoints.json'), 'utf8'))
    expect(published).toEqual(first.endpoints)

    const kms = kmsClient(first.endpoints)
    const KeyId = first.endpoints.kms.keyId
    const Plaintext = Buffer.from('a data key')
    const wrapped = await kms.send(new EncryptCommand({ KeyId, Plaintext, ...CONTEXT }))

    const again = await start()
    expect(again.steps).toEqual({ kafka: 'kept', cassandra: 'kept', s3: 'kept', kms: 'kept' })
    expect(again.endpoints).toEqual(first.endpoints)

    process.kill(first.endpoints.processes.kms, 'SIGKILL')
    await expect.poll(() => identify(first.endpoints.processes.kms)).toBeNull()
    const broken = await stackStatus(directory)
    expect(broken.up).toBe(false)
    expect(broken.parts.map(({ state }) => state)).toEqual(['up', 'up', 'up', 'down'])

    const repaired = await start()
    expect(repaired.steps).toEqual({ kafka: 'kept', cassandra: 'kept', s3: 'kept', kms: 'ready' })
    expect(repaired.endpoints.kms).toEqual(first.endpoints.kms)
    expect((await stackStatus(directory)).up).toBe(true)
    const CiphertextBlob = wrapped.CiphertextBlob
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob, ...CONTEXT }))
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('a data key')
    kms.destroy()

    expect((await stopStack(directory)).toSorted()).toEqual(['cassandra', 'kafka', 'kms', 's3'])
    for (const pid of Object.values(repaired.endpoints.processes)) {
      expect(await identify(pid)).toBeNull()
    }
    expect(existsSync(join(directory, 'endpoints.json'))).toBe(false)
  }, 240_000)
})
