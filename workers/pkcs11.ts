import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type {
  FromPkcs11Thread,
  Pkcs11ThreadData,
  ToPkcs11Thread,
} from '../src/adapters/kms/pkcs11/calls.ts'
import { Pkcs11Desk } from '../src/adapters/kms/pkcs11/desk.ts'
import { ExitGate } from '../src/adapters/kms/pkcs11/exit-gate.ts'
import { loadPkcs11Module } from '../src/adapters/kms/pkcs11/module.ts'

/** The thread that holds one PKCS#11 module: its calls block, and the main thread must not. */
const port = parentPort as MessagePort
const { module, gate: memory } = workerData as Pkcs11ThreadData
const gate = new ExitGate(memory)
const desk = new Pkcs11Desk(() => loadPkcs11Module(module))

port.on('message', (message: ToPkcs11Thread) => {
  switch (message.kind) {
    case 'take':
      return desk.take(message.seat, message.options)
    case 'call': {
      const { transfer, ...answer } = gate.pass(() => desk.answer(message.seat, message.call))
      return port.postMessage({ id: message.id, ...answer } satisfies FromPkcs11Thread, transfer)
    }
    case 'leave':
      return gate.pass(() => desk.leave(message.seat))
  }
})
