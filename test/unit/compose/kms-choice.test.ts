import { describe, expect, it } from 'vitest'
import { type KmsChoice, openKms } from '../../../src/compose/kms.ts'
import { kmsChoiceOf } from '../../../src/compose/service-options.ts'
import { parseTree } from '../config/sample.ts'

describe('the KMS of a configuration', () => {
  it.each([
    [
      { 'kms.aws.region': 'eu-west-1' },
      { provider: 'aws', region: 'eu-west-1', allowPlainHttp: false },
    ],
    [
      {
        'kms.provider': 'vault',
        'kms.keyId': 'orders',
        'kms.vault': { address: 'https://vault:8200', tokenFile: '/run/token', namespace: 'a/b' },
      },
      {
        provider: 'vault',
        address: 'https://vault:8200',
        allowPlainHttp: false,
        mount: 'transit',
        namespace: 'a/b',
        tokenFile: '/run/token',
      },
    ],
    [
      {
        'kms.provider': 'gcp',
        'kms.keyId': 'projects/p/locations/l/keyRings/r/cryptoKeys/k',
        'kms.gcp.credentialsFile': '/etc/gcp.json',
      },
      { provider: 'gcp', credentialsFile: '/etc/gcp.json', allowPlainHttp: false },
    ],
    [
      {
        'kms.provider': 'azure',
        'kms.keyId': 'https://seal.managedhsm.azure.net/keys/k',
        'kms.azure.algorithm': 'A256GCM',
      },
      { provider: 'azure', algorithm: 'A256GCM' },
    ],
  ])('is reached as its section says: %j', (changes, choice) => {
    const { config } = parseTree({ ...changes, 'kms.requestTimeoutMs': '7s' })
    expect(kmsChoiceOf(config)).toEqual({ ...choice, requestTimeoutMs: 7_000 })
  })
})

describe('the adapter of a provider', () => {
  it.each<[KmsChoice, string]>([
    [
      {
        provider: 'vault',
        address: 'http://127.0.0.1:9',
        mount: 'transit',
        tokenFile: 'none.token',
        requestTimeoutMs: 5_000,
      },
      'none.token',
    ],
    [{ provider: 'gcp', credentialsFile: 'none.json', requestTimeoutMs: 5_000 }, 'none.json'],
    [{ provider: 'azure', algorithm: 'A256GCM', requestTimeoutMs: 5_000 }, 'k is no key of Azure'],
  ])('is opened with the first call: %j', async (choice, reason) => {
    const kms = openKms(choice, { triesMax: 1 })
    await expect(kms.generateDataKey('k', {})).rejects.toThrow(reason)
    await kms.close()
  })
})
