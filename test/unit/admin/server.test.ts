import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type AdminServer, startAdminServer } from '../../../src/admin/server.ts'
import { SealError } from '../../../src/errors.ts'
import { createHealth } from '../../../src/telemetry/health.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'

const running: AdminServer[] = []

async function startServer(port = 0) {
  const health = createHealth()
  const metrics = createMetrics()
  const server = await startAdminServer({ host: '127.0.0.1', port, metrics, health })
  running.push(server)
  const get = (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { method })
  return { server, health, metrics, get }
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

describe('the admin server', () => {
  it('serves the metrics as Prometheus text', async () => {
    const { get, metrics } = await startServer()
    metrics.deksCreated.inc(3)
    const response = await get('/metrics')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    expect(await response.text()).toContain('sealstream_deks_created_total 3')
  })

  it('answers /readyz with 503 and reasons, then 200', async () => {
    const { get, health } = await startServer()
    const early = await get('/readyz')
    expect(early.status).toBe(503)
    expect(await early.json()).toEqual({ status: 'unavailable', reasons: ['not started yet'] })
    health.start()
    health.assign()
    const ready = await get('/readyz?verbose')
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({ status: 'ok', reasons: [] })
  })

  it('stays ready, but says so, when partitions stand still', async () => {
    const { get, health } = await startServer()
    health.start()
    health.assign()
    health.stopPartition('orders', 0, 9, new SealError('SEAL_MESSAGE_UNSEALABLE', 'too large'))
    const response = await get('/readyz')
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ status: 'degraded' })
  })

  it('answers /healthz with 200 until the process cannot go on', async () => {
    const { get, health } = await startServer()
    expect((await get('/healthz')).status).toBe(200)
    health.fail('fenced')
    const response = await get('/healthz')
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'unavailable', reasons: ['fenced'] })
  })

  it('knows no other path and no other method', async () => {
    const { get } = await startServer()
    expect((await get('/')).status).toBe(404)
    expect((await get('/metrics/')).status).toBe(404)
    const response = await get('/metrics', 'POST')
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET')
  })

  it('names the address and the key when the port is taken', async () => {
    const { server } = await startServer()
    await expect(startServer(server.port)).rejects.toMatchObject({
      code: 'SEAL_PORT_TAKEN',
      message: `127.0.0.1:${server.port} is in use, set http.port to another port`,
    })
  })

  it('names the key when the address is not of this machine', async () => {
    const options = { port: 0, metrics: createMetrics(), health: createHealth() }
    await expect(startAdminServer({ ...options, host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'SEAL_CONFIG_INVALID',
      message: expect.stringContaining('check http.host'),
    })
  })

  it('ends although a connection is open, frees the port, and may be closed again', async () => {
    const { server } = await startServer()
    const socket = connect(server.port, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await server.close()
    await closed
    await server.close()
    await startServer(server.port)
  })
})
