variable "environment" {
  description = "The name of all resources, such as production, staging or a workshop."
  type        = string
}

variable "vpc_id" {
  description = "The network of the gateways."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that network, in two availability zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants subnets in two availability zones, also without a standby."
  }
}

variable "gateway_security_group_id" {
  description = "The security group of the gateways; only they can reach the database."
  type        = string
}

variable "instance_class" {
  description = "The instance class; db.t4g.small has 2 GB of memory, like postgres/postgresql.conf assumes."
  type        = string
  default     = "db.t4g.small"
}

variable "allocated_storage" {
  description = "The initial storage in GB; RDS grows it up to five times that."
  type        = number
  default     = 20
}

variable "multi_az" {
  description = "A standby in another zone, which takes over within two minutes; the gateways reconnect by themselves. It doubles the price."
  type        = bool
  default     = false
}
