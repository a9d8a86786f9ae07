import { GetUsageRequest, GetUsageResponse } from "./stats";

//==================================//
//          Client Code             //
//==================================//

interface Rpc {
  request(
    service: string,
    method: string,
    contentType: "application/json" | "application/protobuf",
    data: object | Uint8Array
  ): Promise<object | Uint8Array>;
}

export interface StatsServiceClient {
  GetUsage(request: GetUsageRequest): Promise<GetUsageResponse>;
}

export class StatsServiceClientJSON implements StatsServiceClient {
  private readonly rpc: Rpc;
  constructor(rpc: Rpc) {
    this.rpc = rpc;
    this.GetUsage.bind(this);
  }
  GetUsage(request: GetUsageRequest): Promise<GetUsageResponse> {
    const data = GetUsageRequest.toJson(request, {
      useProtoFieldName: true,
      emitDefaultValues: false,
    });
    const promise = this.rpc.request(
      "acai.stats.StatsService",
      "GetUsage",
      "application/json",
      data as object
    );
    return promise.then((data) =>
      GetUsageResponse.fromJson(data as any, { ignoreUnknownFields: true })
    );
  }
}

export class StatsServiceClientProtobuf implements StatsServiceClient {
  private readonly rpc: Rpc;
  constructor(rpc: Rpc) {
    this.rpc = rpc;
    this.GetUsage.bind(this);
  }
  GetUsage(request: GetUsageRequest): Promise<GetUsageResponse> {
    const data = GetUsageRequest.toBinary(request);
    const promise = this.rpc.request(
      "acai.stats.StatsService",
      "GetUsage",
      "application/protobuf",
      data
    );
    return promise.then((data) =>
      GetUsageResponse.fromBinary(data as Uint8Array)
    );
  }
}
