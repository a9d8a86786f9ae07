export { dateMathTool, datetimeTool } from "./tool.ts";
