import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import { createHealth } from '../../../src/telemetry/health.ts'

const AWAY = new SealError('SEAL_KMS_UNAVAILABLE', 'no answer', { retryable: true })

function readyHealth() {
  const health = createHealth()
  health.start()
  health.assign()
  return health
}

describe('readiness', () => {
  it('begins with the start and the first assignment', () => {
    const health = createHealth()
    expect(health.readiness()).toEqual({ status: 'unavailable', reasons: ['not started yet'] })
    health.start()
    expect(health.readiness().reasons).toEqual(['no partitions assigned yet'])
    health.assign()
    expect(health.readiness()).toEqual({ status: 'ok', reasons: [] })
  })

  it('pauses while any service is waited for, and names it', () => {
    const health = readyHealth()
    health.waitFor('kms', AWAY)
    health.waitFor('s3', AWAY)
    health.recover('s3')
    expect(health.readiness()).toEqual({
      status: 'unavailable',
      reasons: ['waiting for kms: no answer [SEAL_KMS_UNAVAILABLE]'],
    })
    health.recover('kms')
    expect(health.readiness().status).toBe('ok')
  })

  it('is degraded by stopped partitions, also after the next assignment', () => {
    const health = readyHealth()
    const error = new SealError('SEAL_MESSAGE_UNSEALABLE', 'too large')
    health.stopPartition('orders', 3, 42, error)
    health.stopPartition('orders', 3, 42, error)
    health.assign()
    expect(health.readiness()).toEqual({
      status: 'degraded',
      reasons: ['orders/3 stopped at 42: too large [SEAL_MESSAGE_UNSEALABLE]'],
    })
  })

  it('ends when the process stops', () => {
    const health = readyHealth()
    health.stop()
    expect(health.readiness()).toEqual({ status: 'unavailable', reasons: ['stopping'] })
  })
})

describe('liveness', () => {
  it('does not depend on services', () => {
    const health = createHealth()
    health.waitFor('kms', AWAY)
    expect(health.liveness()).toEqual({ status: 'ok', reasons: [] })
  })

  it('ends for good with the first failure', () => {
    const health = readyHealth()
    health.fail('fenced')
    health.fail('later')
    expect(health.liveness()).toEqual({ status: 'unavailable', reasons: ['fenced'] })
    expect(health.readiness().reasons).toEqual(['fenced'])
  })
})

describe('warnings', () => {
  it('stand in every report and change no status', () => {
    const health = createHealth(['kms.provider: is local'])
    const warnings = ['kms.provider: is local']
    expect(health.liveness()).toEqual({ status: 'ok', reasons: [], warnings })
    health.start()
    health.assign()
    expect(health.readiness()).toEqual({ status: 'ok', reasons: [], warnings })
    health.fail('fenced')
    expect(health.liveness()).toEqual({ status: 'unavailable', reasons: ['fenced'], warnings })
  })
})
