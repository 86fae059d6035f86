import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { checkPorts, PORT_NAMES, pickFreePorts, portsFrom } from '../../../docker/stack/ports.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(port: number): Promise<number> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve) => server.listen({ port, host: '127.0.0.1' }, resolve))
  return (server.address() as AddressInfo).port
}

describe('ports of the stack', () => {
  it('names port and flag when somebody else listens there', async () => {
    const ports = await pickFreePorts()
    await listen(ports.kafkaController)
    await expect(checkPorts(ports, PORT_NAMES)).rejects.toMatchObject({
      code: 'STACK_PORT_REFUSED',
      message: expect.stringContaining(`${ports.kafkaController} (--kafka-controller-port)`),
    })
  })

  it('does not look at the ports of parts that already run', async () => {
    const ports = await pickFreePorts()
    await listen(ports.s3)
    await expect(checkPorts(ports, ['kms', 'kafka'])).resolves.toBeUndefined()
  })

  it('refuses one port for two parts', async () => {
    const ports = { ...portsFrom(21_000), kms: 21_002 }
    await expect(checkPorts(ports, [])).rejects.toThrow('21002 is given twice: change --kafka-port')
  })

  it('picks ports that are free and all different', async () => {
    const ports = await pickFreePorts()
    expect(new Set(Object.values(ports)).size).toBe(PORT_NAMES.length)
    await expect(checkPorts(ports, PORT_NAMES)).resolves.toBeUndefined()
  })

  it.each([0, 80, 65_530, 1.5, Number.NaN])('refuses the port base %s', (base) => {
    expect(() => portsFrom(base)).toThrow('is refused')
  })
})
