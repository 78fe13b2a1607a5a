export { fastifyPlugin, type AdapterOptions, type Mountable } from '@plugwork/sdk/fastify'
