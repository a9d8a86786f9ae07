import {
  StartConversationRequest,
  StartConversationResponse,
  ContinueConversationRequest,
  ContinueConversationResponse,
  ListConversationsRequest,
  ListConversationsResponse,
  DescribeConversationRequest,
  DescribeConversationResponse,
  EndSessionRequest,
  EndSessionResponse,
} from "./chat";

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

export interface ChatServiceClient {
  StartConversation(
    request: StartConversationRequest
  ): Promise<StartConversationResponse>;
  ContinueConversation(
    request: ContinueConversationRequest
  ): Promise<ContinueConversationResponse>;
  ListConversations(
    request: ListConversationsRequest
  ): Promise<ListConversationsResponse>;
  DescribeConversation(
    request: DescribeConversationRequest
  ): Promise<DescribeConversationResponse>;
  EndSession(request: EndSessionRequest): Promise<EndSessionResponse>;
}

export class ChatServiceClientJSON implements ChatServiceClient {
  private readonly rpc: Rpc;
  constructor(rpc: Rpc) {
    this.rpc = rpc;
    this.StartConversation.bind(this);
    this.ContinueConversation.bind(this);
    this.ListConversations.bind(this);
    this.DescribeConversation.bind(this);
    this.EndSession.bind(this);
  }
  StartConversation(
    request: StartConversationRequest
  ): Promise<StartConversationResponse> {
    const data = StartConversationRequest.toJson(request, {
      useProtoFieldName: true,
      emitDefaultValues: false,
    });
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "StartConversation",
      "application/json",
      data as object
    );
    return promise.then((data) =>
      StartConversationResponse.fromJson(data as any, {
        ignoreUnknownFields: true,
      })
    );
  }

  ContinueConversation(
    request: ContinueConversationRequest
  ): Promise<ContinueConversationResponse> {
    const data = ContinueConversationRequest.toJson(request, {
      useProtoFieldName: true,
      emitDefaultValues: false,
    });
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "ContinueConversation",
      "application/json",
      data as object
    );
    return promise.then((data) =>
      ContinueConversationResponse.fromJson(data as any, {
        ignoreUnknownFields: true,
      })
    );
  }

  ListConversations(
    request: ListConversationsRequest
  ): Promise<ListConversationsResponse> {
    const data = ListConversationsRequest.toJson(request, {
      useProtoFieldName: true,
      emitDefaultValues: false,
    });
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "ListConversations",
      "application/json",
      data as object
    );
    return promise.then((data) =>
      ListConversationsResponse.fromJson(data as any, {
        ignoreUnknownFields: true,
      })
    );
  }

  DescribeConversation(
    request: DescribeConversationRequest
  ): Promise<DescribeConversationResponse> {
    const data = DescribeConversationRequest.toJson(request, {
      useProtoFieldName: true,
      emitDefaultValues: false,
    });
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "DescribeConversation",
      "application/json",
      data as object
    );
    return promise.then((data) =>
      DescribeConversationResponse.fromJson(data as any, {
        ignoreUnknownFields: true,
      })
    );
  }

  EndSession(request: EndSessionRequest): Promise<EndSessionResponse> {
    const data = EndSessionRequest.toJson(request, {
      useProtoFieldName: true,
      emitDefaultValues: false,
    });
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "EndSession",
      "application/json",
      data as object
    );
    return promise.then((data) =>
      EndSessionResponse.fromJson(data as any, { ignoreUnknownFields: true })
    );
  }
}

export class ChatServiceClientProtobuf implements ChatServiceClient {
  private readonly rpc: Rpc;
  constructor(rpc: Rpc) {
    this.rpc = rpc;
    this.StartConversation.bind(this);
    this.ContinueConversation.bind(this);
    this.ListConversations.bind(this);
    this.DescribeConversation.bind(this);
    this.EndSession.bind(this);
  }
  StartConversation(
    request: StartConversationRequest
  ): Promise<StartConversationResponse> {
    const data = StartConversationRequest.toBinary(request);
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "StartConversation",
      "application/protobuf",
      data
    );
    return promise.then((data) =>
      StartConversationResponse.fromBinary(data as Uint8Array)
    );
  }

  ContinueConversation(
    request: ContinueConversationRequest
  ): Promise<ContinueConversationResponse> {
    const data = ContinueConversationRequest.toBinary(request);
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "ContinueConversation",
      "application/protobuf",
      data
    );
    return promise.then((data) =>
      ContinueConversationResponse.fromBinary(data as Uint8Array)
    );
  }

  ListConversations(
    request: ListConversationsRequest
  ): Promise<ListConversationsResponse> {
    const data = ListConversationsRequest.toBinary(request);
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "ListConversations",
      "application/protobuf",
      data
    );
    return promise.then((data) =>
      ListConversationsResponse.fromBinary(data as Uint8Array)
    );
  }

  DescribeConversation(
    request: DescribeConversationRequest
  ): Promise<DescribeConversationResponse> {
    const data = DescribeConversationRequest.toBinary(request);
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "DescribeConversation",
      "application/protobuf",
      data
    );
    return promise.then((data) =>
      DescribeConversationResponse.fromBinary(data as Uint8Array)
    );
  }

  EndSession(request: EndSessionRequest): Promise<EndSessionResponse> {
    const data = EndSessionRequest.toBinary(request);
    const promise = this.rpc.request(
      "acai.chat.ChatService",
      "EndSession",
      "application/protobuf",
      data
    );
    return promise.then((data) =>
      EndSessionResponse.fromBinary(data as Uint8Array)
    );
  }
}
