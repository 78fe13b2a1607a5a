export {
  nodeHandler,
  type AdapterOptions,
  type Mountable,
  type NodeHandler,
  type NodeHandlerOptions,
} from '@plugwork/sdk/node'
