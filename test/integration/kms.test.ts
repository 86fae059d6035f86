import { randomUUID } from 'node:crypto'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  KMSClient,
  RotateKeyOnDemandCommand,
} from '@aws-sdk/client-kms'
import { afterAll, inject } from 'vitest'
import { AwsKms, type AwsKmsOptions } from '../../src/adapters/kms/aws-kms.ts'
import { kmsContract } from '../contracts/kms.contract.ts'

const { keyId: _keyId, ...place } = inject('stack').kms
const newKms = (over: Partial<AwsKmsOptions> = {}) =>
  new AwsKms({ ...place, requestTimeoutMs: 10_000, ...over })

const { endpoint, region, accessKeyId, secretAccessKey } = place
const admin = new KMSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } })

afterAll(() => admin.destroy())

/** Keys of its own: the suite rotates one and switches the other off. */
async function createKey(): Promise<string> {
  const { KeyMetadata } = await admin.send(new CreateKeyCommand({}))
  return KeyMetadata?.KeyId ?? ''
}

kmsContract('AWS KMS', async () => {
  const kekId = await createKey()
  return {
    kms: newKms(),
    kekId,
    otherKekId: await createKey(),
    fullName: /^arn:aws:kms:us-east-1:\d+:key\//,
    unknownKekId: randomUUID(),
    rotate: async () => void (await admin.send(new RotateKeyOnDemandCommand({ KeyId: kekId }))),
    // LocalStack leaves KeyMaterialId out of its answers.
    tellsVersion: false,
    disable: async (KeyId) => void (await admin.send(new DisableKeyCommand({ KeyId }))),
    // LocalStack takes any credentials; what AWS answers is tried in the unit tests of the adapter.
    denied: null,
    // Port 9 is discard: nothing listens there.
    away: async () => newKms({ endpoint: 'http://127.0.0.1:9' }),
  }
})
