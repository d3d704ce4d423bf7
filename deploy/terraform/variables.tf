variable "environment" {
  description = "Names everything: production, staging, a workshop."
  type        = string
}

variable "vpc_id" {
  description = "The network of the gateways."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of it, in two availability zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants subnets in two availability zones, also without a standby."
  }
}

variable "gateway_security_group_id" {
  description = "The security group of the gateways: nobody else reaches the database."
  type        = string
}

variable "instance_class" {
  description = "2 GB of memory, as the settings of postgres/postgresql.conf are for, are a db.t4g.small."
  type        = string
  default     = "db.t4g.small"
}

variable "allocated_storage" {
  description = "GB at the beginning; it grows to five times that by itself."
  type        = number
  default     = 20
}

variable "multi_az" {
  description = "A standby in another zone, which takes over within a minute or two: the gateways come back by themselves. Doubles the price."
  type        = bool
  default     = false
}
